/** Spans and attributes of the page, repeated from services/a2serve/telemetry/names.py; tests/contract/test_web_names.py compares. */
export const SERVICE_WEB = "a2-web";
export const SPAN_WEB_TURN = "a2.web.turn";
export const SPAN_WEB_FIRST_AUDIO = "a2.web.first_audio";
export const SPAN_WEB_FIRST_MOTION = "a2.web.first_motion";
export const SPAN_WEB_PLAYBACK = "a2.web.playback";
export const ATTR_RESPONSE_ID = "a2.response_id";
export const ATTR_UNDERRUNS = "a2.underruns";
export const ATTR_CUT_MS = "a2.cut_ms";
