/** @a2llm/web: embed a face that listens and answers. See README.md for the ten lines. */

export type { MicrophoneState } from "./audio/microphone.ts";
export { A2Avatar } from "./avatar/avatar.ts";
export type { A2AvatarOptions, A2Events, Caption } from "./avatar/options.ts";
export type { AvatarState } from "./avatar/state.ts";
export type { Turn } from "./conversation/turns.ts";
export type { Quality } from "./head/stage.ts";
