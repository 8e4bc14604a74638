/** Where a head is drawn: canvas, camera, key light, framing, quality. The background is the page's (the canvas is transparent). */
import { DirectionalLight, NoToneMapping, PCFShadowMap, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { neutral, type Pose } from "../motion/pose.ts";
import { HeadMeshes } from "./meshes.ts";
import { KEY_DIRECTION } from "./shading.ts";

export type Quality = "high" | "low";

const CAMERA_DISTANCE_METRES = 1.42;
const FOCUS_Z_METRES = 0.03;
/** What must be in the picture: from above the hair to the collar, and the hair's width with some air. */
const FRAME = { heightMetres: 0.335, widthMetres: 0.235, centerYMetres: -0.02 };
const SHADOW_TEXELS = 1024;
const LOW_FRAME_MS = 1000 / 31;

/** How much of the canvas other things cover, in CSS pixels; the face is framed in what remains. */
export interface Insets {
  top: number;
  bottom: number;
}

export class Stage {
  readonly canvas: HTMLCanvasElement;
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(15, 1, 0.1, 5);
  private readonly key = new DirectionalLight(0xffffff, 1);
  private readonly watcher: ResizeObserver;
  private head: HeadMeshes | null = null;
  private quality: Quality;
  private insets: Insets = { top: 0, bottom: 0 };
  private drawnAtMs = -Infinity;

  /** Puts a canvas into `container` and follows its size. Throws when the browser has no WebGL 2. */
  constructor(
    private readonly container: HTMLElement,
    quality: Quality,
  ) {
    this.quality = quality;
    this.renderer = new WebGLRenderer({ alpha: true, antialias: quality === "high", powerPreference: "high-performance" });
    this.renderer.toneMapping = NoToneMapping; // shading.ts has its own curve
    this.renderer.shadowMap.type = PCFShadowMap;
    this.canvas = this.renderer.domElement;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "The avatar's face");
    Object.assign(this.canvas.style, {
      position: "absolute",
      inset: "0",
      width: "100%",
      height: "100%",
      display: "block",
      opacity: "0",
      transition: "opacity 0.5s",
    });
    container.append(this.canvas);
    this.placeKeyLight();
    this.setQuality(quality);
    this.watcher = new ResizeObserver(() => this.frame());
    this.watcher.observe(container);
  }

  /** Show another head; the old one stays until the new one is there. Rejects when it cannot be loaded. */
  async show(url: string): Promise<void> {
    const antialias = this.renderer.getContext().getContextAttributes()?.antialias ?? false;
    const next = await HeadMeshes.load(url, { maxAnisotropy: this.renderer.capabilities.getMaxAnisotropy(), antialias });
    if (this.head) {
      this.scene.remove(this.head.root);
      this.head.dispose();
    }
    this.head = next;
    this.scene.add(next.root);
    this.draw(neutral(), Infinity);
    this.canvas.style.opacity = "1";
  }

  setQuality(quality: Quality): void {
    this.quality = quality;
    this.renderer.shadowMap.enabled = quality === "high";
    this.key.castShadow = quality === "high";
    this.frame();
  }

  setInsets(insets: Insets): void {
    this.insets = insets;
    this.frame();
  }

  /** Draw the face; in low quality at most 30 times a second. */
  draw(pose: Pose, nowMs: number): void {
    if (!this.head || (this.quality === "low" && nowMs - this.drawnAtMs < LOW_FRAME_MS)) return;
    this.drawnAtMs = nowMs === Infinity ? -Infinity : nowMs;
    this.head.apply(pose);
    this.renderer.render(this.scene, this.camera);
  }

  dispose(): void {
    this.watcher.disconnect();
    this.head?.dispose();
    this.renderer.dispose();
    this.canvas.remove();
  }

  private placeKeyLight(): void {
    const [x, y, z] = KEY_DIRECTION;
    this.key.position.set(x, y - 0.06, z + 0.02);
    this.key.target.position.set(0, -0.06, 0.02);
    const { shadow } = this.key;
    shadow.mapSize.set(SHADOW_TEXELS, SHADOW_TEXELS);
    Object.assign(shadow.camera, { left: -0.24, right: 0.24, top: 0.24, bottom: -0.24, near: 0.4, far: 1.7 });
    shadow.normalBias = 0.0035;
    shadow.bias = -0.0006;
    shadow.radius = 2.5;
    this.scene.add(this.key, this.key.target);
  }

  private frame(): void {
    const { clientWidth: width, clientHeight: height } = this.container;
    if (!width || !height) return;
    this.renderer.setPixelRatio(this.quality === "high" ? Math.min(devicePixelRatio, 2) : Math.min(devicePixelRatio, 1));
    this.renderer.setSize(width, height, false);
    const free = Math.max(height - this.insets.top - this.insets.bottom, height * 0.3);
    const metresPerPixel = Math.max(FRAME.heightMetres / free, FRAME.widthMetres / width);
    const shown = height * metresPerPixel;
    const middle = (this.insets.top + free / 2 - height / 2) * metresPerPixel;
    this.camera.position.set(0, FRAME.centerYMetres + middle, FOCUS_Z_METRES + CAMERA_DISTANCE_METRES);
    this.camera.fov = (2 * Math.atan(shown / 2 / CAMERA_DISTANCE_METRES) * 180) / Math.PI;
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
  }
}
