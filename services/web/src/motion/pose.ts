/**
 * The face as this client holds it: one number per coefficient of rig `arkit61`, blendshapes 0..1 and rotations in radians
 * (positive yaw to the avatar's left, pitch down, roll towards its right shoulder). arkit61.json repeats a2llm.rig's order,
 * for motion that comes before any header; tests/contract/test_web_names.py compares the two.
 */
import names from "./arkit61.json";

export const COEFFICIENTS: readonly string[] = names;
export const HEAD_ROTATIONS: readonly string[] = ["headYaw", "headPitch", "headRoll"];

/** One value per entry of COEFFICIENTS. */
export type Pose = Float32Array;

const PLACES = new Map(COEFFICIENTS.map((name, place) => [name, place]));

/** Place of a coefficient in a Pose, or -1 for a name this client does not know. */
export const placeOf = (name: string): number => PLACES.get(name) ?? -1;

export const neutral = (): Pose => new Float32Array(COEFFICIENTS.length);

/** target += weight * (other - target), in place. */
export function blend(target: Pose, other: Pose, weight: number): void {
  if (weight <= 0) return;
  for (let c = 0; c < target.length; c++) target[c]! += (other[c]! - target[c]!) * weight;
}
