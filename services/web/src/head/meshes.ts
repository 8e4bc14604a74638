/** A loaded head: which morphs and bones each coefficient moves, and our light on its materials. It knows no time. */
import {
  BufferAttribute,
  type BufferGeometry,
  Euler,
  FrontSide,
  type Material,
  type Mesh,
  MeshBasicMaterial,
  type MeshStandardMaterial,
  type Object3D,
  Quaternion,
  SkinnedMesh,
  Vector3,
} from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { COEFFICIENTS, type Pose, placeOf } from "../motion/pose.ts";
import { relight, SURFACE_OF_MATERIAL } from "./shading.ts";

/** A head's turn is shared out over the neck, as models/a2llm/avatar/render.py does. */
const NECK_SHARES: Record<string, number> = { neck02: 0.22, neck03: 0.28, head: 0.5 };
/** Filtering thins single lashes below what the eye reads as a lash line. */
const LASH_GAIN = 1.6;

/** What the renderer can do. */
export interface Drawing {
  maxAnisotropy: number;
  antialias: boolean;
}

interface Morph {
  influences: number[];
  index: number;
  place: number;
}
interface Bone {
  node: Object3D;
  rest: Quaternion;
  share: number;
}

export class HeadMeshes {
  private readonly turn = new Quaternion();
  private readonly angles = new Euler(0, 0, 0, "YXZ");

  private constructor(
    readonly root: Object3D,
    private readonly morphs: Morph[],
    private readonly bones: Bone[],
  ) {}

  /** Load a GLB with morph targets by ARKit name. Rejects when it cannot be fetched or holds no known morph. */
  static async load(url: string, { maxAnisotropy, antialias }: Drawing): Promise<HeadMeshes> {
    const { scene } = await new GLTFLoader().loadAsync(url);
    const morphs: Morph[] = [];
    const bones: Bone[] = [];
    scene.traverse((node) => {
      if (node instanceof SkinnedMesh) prepare(node, morphs, { maxAnisotropy, antialias });
      const share = NECK_SHARES[node.name];
      if (share) bones.push({ node, rest: node.quaternion.clone(), share });
    });
    if (!morphs.length) throw new Error(`${url} holds no face: no morph target has an ARKit name`);
    return new HeadMeshes(scene, morphs, bones);
  }

  apply(pose: Pose): void {
    for (const { influences, index, place } of this.morphs) influences[index] = pose[place]!;
    const [yaw, pitch, roll] = [pose[placeOf("headYaw")]!, pose[placeOf("headPitch")]!, pose[placeOf("headRoll")]!];
    for (const { node, rest, share } of this.bones) {
      this.turn.setFromEuler(this.angles.set(pitch * share, yaw * share, roll * share));
      node.quaternion.copy(rest).multiply(this.turn);
    }
  }

  dispose(): void {
    this.root.traverse((node) => {
      const mesh = node as Mesh;
      mesh.geometry?.dispose();
      if (mesh.material) for (const material of [mesh.material].flat()) discard(material);
    });
  }
}

function prepare(mesh: SkinnedMesh, morphs: Morph[], { maxAnisotropy, antialias }: Drawing): void {
  mesh.frustumCulled = false; // morphs and bones leave the rest pose's bounds
  for (const name of COEFFICIENTS) {
    const index = mesh.morphTargetDictionary?.[name];
    if (index !== undefined && mesh.morphTargetInfluences) {
      morphs.push({ influences: mesh.morphTargetInfluences, index, place: placeOf(name) });
    }
  }
  const material = mesh.material as MeshStandardMaterial;
  if (material.map) material.map.anisotropy = maxAnisotropy;
  mesh.castShadow = material.name !== "Lash" && material.name !== "Eye";
  mesh.receiveShadow = true;
  const surface = SURFACE_OF_MATERIAL[material.name];
  if (material.name === "Lash") mesh.material = lashes(material);
  else if (surface) dress(mesh, material, surface === "hair", antialias);
}

function dress(mesh: SkinnedMesh, material: MeshStandardMaterial, hair: boolean, antialias: boolean): void {
  material.normalMap = null; // our light reads strands from the colour texture
  if (hair) {
    mesh.geometry.setAttribute("strand", strands(mesh.geometry));
    material.alphaTest = 0.35;
    // Without samples to cover, a half-covered pixel would be lit twice: by the strand and by the page behind it.
    material.alphaToCoverage = material.premultipliedAlpha = antialias;
  }
  if (material.name === "Skin") material.side = FrontSide;
  relight(material, SURFACE_OF_MATERIAL[material.name]!);
}

function lashes(from: MeshStandardMaterial): Material {
  const material = new MeshBasicMaterial({ map: from.map, color: from.color, transparent: true, depthWrite: false, side: from.side });
  material.onBeforeCompile = (shader) => {
    const alpha = `#include <map_fragment>\ndiffuseColor.a = min(1.0, diffuseColor.a * ${LASH_GAIN.toFixed(1)});`;
    shader.fragmentShader = shader.fragmentShader.replace("#include <map_fragment>", alpha);
  };
  return material;
}

function discard(material: Material): void {
  for (const value of Object.values(material)) {
    if (value && typeof value === "object" && "isTexture" in value) (value as { dispose(): void }).dispose();
  }
  material.dispose();
}

/** Direction in which v grows, per vertex: the way hair strands run. Mirrors drawable.py's `_tangents`. */
function strands(geometry: BufferGeometry): BufferAttribute {
  const position = geometry.getAttribute("position");
  const uv = geometry.getAttribute("uv");
  const index = geometry.getIndex()!;
  const sums = new Float32Array(position.count * 3);
  const [a, e1, e2] = [new Vector3(), new Vector3(), new Vector3()];
  for (let t = 0; t < index.count; t += 3) {
    const [i, j, k] = [index.getX(t), index.getX(t + 1), index.getX(t + 2)];
    a.fromBufferAttribute(position, i);
    e1.fromBufferAttribute(position, j).sub(a);
    e2.fromBufferAttribute(position, k).sub(a);
    const [u1, v1, u2, v2] = [uv.getX(j) - uv.getX(i), uv.getY(j) - uv.getY(i), uv.getX(k) - uv.getX(i), uv.getY(k) - uv.getY(i)];
    e2.multiplyScalar(u1)
      .addScaledVector(e1, -u2)
      .multiplyScalar(Math.sign(u1 * v2 - u2 * v1));
    for (const corner of [i, j, k]) add(sums, corner, e2);
  }
  return new BufferAttribute(unit(sums), 3);
}

function add(sums: Float32Array, vertex: number, along: Vector3): void {
  sums[vertex * 3]! += along.x;
  sums[vertex * 3 + 1]! += along.y;
  sums[vertex * 3 + 2]! += along.z;
}

function unit(rows: Float32Array): Float32Array {
  for (let r = 0; r < rows.length; r += 3) {
    const length = Math.hypot(rows[r]!, rows[r + 1]!, rows[r + 2]!);
    if (length > 1e-9) for (let axis = 0; axis < 3; axis++) rows[r + axis]! /= length;
    else rows[r + 1] = -1;
  }
  return rows;
}
