/**
 * Light and colour of the heads in GLSL: the same small studio as models/a2llm/avatar/shading.py, so that a face looks
 * alike in a rendered clip and on the page. Hemisphere ambient, a warm key light with soft shadows, a cool fill, two rims;
 * skin with a subsurface wrap, eyes with a softbox reflection, wet mouth, cloth with sheen, hair with strand highlights
 * (Kajiya & Kay 1989; Marschner et al. 2003). GGX in Karis' mobile form; tone curve: Narkowicz' fit of ACES.
 * The camera never turns, so view space and world space share their axes. It knows no meshes.
 */
import type { MeshStandardMaterial, WebGLProgramParametersWithUniforms } from "three";

export type Surface = "skin" | "eye" | "wet" | "cloth" | "hair" | "plain";

/** What a glTF material's name means for the light. */
export const SURFACE_OF_MATERIAL: Record<string, Surface> = {
  Skin: "skin",
  Eye: "eye",
  Teeth: "wet",
  Tongue: "wet",
  Cloth: "cloth",
  Hair: "hair",
  HairInner: "plain",
};

export const KEY_DIRECTION = [-0.46, 0.5, 0.73] as const;

const COMMON = /* glsl */ `
const vec3 A2_KEY = vec3(-0.461, 0.501, 0.732), A2_FILL = vec3(0.80, 0.12, 0.59);
const vec3 A2_RIM = vec3(0.72, 0.45, -0.53), A2_BACK = vec3(-0.75, 0.40, -0.53);
const vec3 A2_KEY_COLOR = vec3(1.42, 1.30, 1.18), A2_FILL_COLOR = vec3(0.34, 0.38, 0.45);
const vec3 A2_RIM_COLOR = vec3(0.95, 0.98, 1.05), A2_BACK_COLOR = vec3(0.50, 0.52, 0.58);
const vec3 A2_SKY = vec3(0.56, 0.60, 0.66), A2_GROUND = vec3(0.30, 0.26, 0.24);

vec3 a2Tone(vec3 x) {
  x *= 0.66;
  return clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
}

float a2Lit() {
#if defined(USE_SHADOWMAP) && NUM_DIR_LIGHT_SHADOWS > 0
  DirectionalLightShadow key = directionalLightShadows[0];
  float open = getShadow(directionalShadowMap[0], key.shadowMapSize, key.shadowIntensity, key.shadowBias, key.shadowRadius,
    vDirectionalShadowCoord[0]);
  return receiveShadow ? mix(0.18, 1.0, open) : 1.0;
#else
  return 1.0;
#endif
}

float a2Gloss(vec3 n, vec3 light, vec3 view, float roughness) {
  vec3 h = normalize(light + view);
  float ndh = max(dot(n, h), 0.0), ldh = max(dot(light, h), 0.1), a2 = pow(roughness, 4.0);
  float d = ndh * ndh * (a2 - 1.0) + 1.0;
  return max(dot(n, light), 0.0) * a2 / (4.0 * d * d * ldh * ldh * (roughness + 0.5) + 1e-7);
}

vec3 a2Wrap(float cosine, vec3 width) {
  return max(vec3(cosine) + width, 0.0) / ((1.0 + width) * (1.0 + width));
}

vec3 a2Diffuse(vec3 n, vec3 base, float lit, vec3 wrap) {
  // Red light travels furthest in skin: it softens the shadow's border by the same order as the wrap.
  vec3 share = vec3(lit) + lit * (1.0 - lit) * vec3(wrap.xy, 0.0) * 2.0;
  vec3 light = A2_KEY_COLOR * share * a2Wrap(dot(n, A2_KEY), wrap) + A2_FILL_COLOR * a2Wrap(dot(n, A2_FILL), wrap);
  light += 0.5 * (A2_RIM_COLOR * max(dot(n, A2_RIM), 0.0) + A2_BACK_COLOR * max(dot(n, A2_BACK), 0.0));
  light += (0.80 + 0.20 * lit) * mix(A2_GROUND, A2_SKY, 0.5 + 0.5 * n.y);
  return base * light;
}
`;

const SHADE: Record<Surface, string> = {
  skin: /* glsl */ `
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) {
  float fresnel = 0.028 + 0.60 * pow(1.0 - clamp(dot(n, view), 0.0, 1.0), 5.0);
  float gloss = 0.7 * a2Gloss(n, A2_KEY, view, roughness) + 0.3 * a2Gloss(n, A2_KEY, view, roughness * 0.75);
  float key = 0.034 * gloss * lit, fill = 0.012 * a2Gloss(n, A2_FILL, view, roughness);
  float edge = fresnel * (0.30 * (0.5 + 0.5 * n.y) + 0.55 * max(dot(n, A2_RIM) + 0.35, 0.0));
  return a2Diffuse(n, base, lit, vec3(0.34, 0.16, 0.09)) + key * vec3(1.04, 1.0, 0.94) + fill + edge * vec3(0.90, 0.94, 1.0);
}`,
  eye: /* glsl */ `
float a2Softbox(vec3 n, vec3 view) {
  vec3 r = reflect(-view, n);
  if (r.z <= 0.05) return 0.0;
  vec2 far = abs(r.xy / r.z + vec2(0.55, -0.62));
  return clamp(1.0 - (max(far.x, far.y) - 0.24) / 0.10, 0.0, 1.0);
}
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) {
  // The upper lid and its lashes darken the top of the ball.
  float lid = (0.62 + 0.38 * lit) * (1.0 - 0.42 * clamp(n.y * 2.2 - 0.05, 0.0, 1.0));
  float shine = 0.75 * a2Softbox(n, view) * (0.35 + 0.65 * lit) + 0.02 * a2Gloss(n, A2_FILL, view, 0.25);
  return a2Diffuse(n, base, 0.35 + 0.65 * lit, vec3(0.25, 0.2, 0.18)) * lid + shine;
}`,
  wet: /* glsl */ `
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) {
  float shine = 0.05 * (a2Gloss(n, A2_KEY, view, roughness) + 0.3 * a2Gloss(n, A2_FILL, view, roughness)) * lit;
  return a2Diffuse(n, base, lit, vec3(0.3, 0.2, 0.15)) * (0.30 + 0.45 * lit) + shine;
}`,
  cloth: /* glsl */ `
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) {
  float rim = pow(1.0 - clamp(dot(n, view), 0.0, 1.0), 3.0);
  return a2Diffuse(n, base, lit, vec3(0.10)) + base * 0.55 * rim * (0.4 + 0.6 * clamp(0.5 + 0.5 * n.y, 0.0, 1.0));
}`,
  hair: /* glsl */ `
float a2Strand(vec3 t, vec3 n, float shift, vec3 light, vec3 view) {
  float along = dot(normalize(t + shift * n), normalize(light + view));
  return sqrt(max(1.0 - along * along, 0.0));
}
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) {
  vec3 t = normalize(vStrand);
  float strand = a2Texel.r, occlusion = vColor.r, shift = 0.10 * (strand - 0.5);
  float key = lit * clamp(dot(n, A2_KEY) * 1.6 + 0.35, 0.0, 1.0) * occlusion;
  float white = pow(a2Strand(t, n, shift - 0.06, A2_KEY, view), 64.0) * key * 0.13 * (0.4 + strand);
  float tinted = pow(a2Strand(t, n, shift + 0.10, A2_KEY, view), 16.0) * key * 0.95;
  float rim = clamp(dot(n, A2_RIM) * 1.5 + 0.3, 0.0, 1.0) * occlusion * pow(a2Strand(t, n, shift, A2_RIM, view), 16.0);
  float back = clamp(dot(n, A2_BACK) * 1.5 + 0.2, 0.0, 1.0) * occlusion * pow(a2Strand(t, n, shift, A2_BACK, view), 16.0);
  vec3 color = a2Diffuse(n, base, lit, vec3(0.30));
  color += white * vec3(1.05, 0.97, 0.88) + (tinted + rim + back * 0.6) * base;
  return color + 0.05 * (rim + 0.6 * back) * vec3(1.0, 1.0, 1.05);
}`,
  plain: /* glsl */ `
vec3 a2Shade(vec3 n, vec3 view, vec3 base, float roughness, float lit) { return a2Diffuse(n, base, lit, vec3(0.1)); }`,
};

/** Give a glTF material our light. Hair needs the vertex attribute `strand` (direction of growth, see meshes.ts). */
export function relight(material: MeshStandardMaterial, surface: Surface): void {
  material.onBeforeCompile = (shader) => {
    shader.vertexShader = vertexOf(shader, surface);
    shader.fragmentShader = fragmentOf(shader, surface);
  };
  material.customProgramCacheKey = () => `a2-${surface}`;
}

function vertexOf(shader: WebGLProgramParametersWithUniforms, surface: Surface): string {
  if (surface !== "hair") return shader.vertexShader;
  return shader.vertexShader
    .replace("#include <common>", "#include <common>\nattribute vec3 strand;\nvarying vec3 vStrand;")
    .replace("#include <skinnormal_vertex>", "#include <skinnormal_vertex>\nvStrand = normalMatrix * mat3(skinMatrix) * strand;");
}

function fragmentOf(shader: WebGLProgramParametersWithUniforms, surface: Surface): string {
  const declared = surface === "hair" ? "varying vec3 vStrand;\nvec4 a2Texel;\n" : "";
  const texel = surface === "hair" ? "\na2Texel = sampledDiffuseColor;" : "";
  return shader.fragmentShader
    .replace("#include <clipping_planes_pars_fragment>", `#include <clipping_planes_pars_fragment>\n${declared}${COMMON}${SHADE[surface]}`)
    .replace("#include <map_fragment>", `#include <map_fragment>${texel}`)
    .replace(
      /#include <lights_physical_fragment>[\s\S]*?#include <opaque_fragment>/,
      `vec3 outgoingLight = a2Tone(a2Shade(normal, normalize(vViewPosition), diffuseColor.rgb, roughnessFactor, a2Lit()));
      #include <opaque_fragment>`,
    );
}
