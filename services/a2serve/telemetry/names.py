"""Every span, metric, attribute and bucket, once. One section per service; imports nothing.

Spans are named a2.<service>.<what>; metrics a2_<service>_<what>_<unit>; times in metrics are seconds, as Prometheus has it.
"""

from typing import Final

# --- attributes of spans and log lines, shared -----------------------------------------------------------------------
ATTR_TENANT: Final = "a2.tenant"
ATTR_SESSION_ID: Final = "a2.session_id"
ATTR_RESPONSE_ID: Final = "a2.response_id"
ATTR_UTTERANCE_ID: Final = "a2.utterance_id"
ATTR_REQUEST_ID: Final = "a2.request_id"

# --- services, as traces and log lines name them ---------------------------------------------------------------------
SERVICE_WEB: Final = "a2-web"
SERVICE_GATEWAY: Final = "a2-gateway"
SERVICE_INFERENCE: Final = "a2-inference"
SERVICE_TRITON: Final = "a2-triton"
SERVICE_RECORDER: Final = "a2-recorder"
SERVICE_TRACES: Final = "a2-traces"

# --- inference -------------------------------------------------------------------------------------------------------
SPAN_INFERENCE_RESPOND: Final = "a2.inference.respond"  # the whole stream; below it, one after the other:
SPAN_INFERENCE_ADMISSION: Final = "a2.inference.admission"  # request arrived -> the engine took it
SPAN_INFERENCE_PREFILL: Final = "a2.inference.prefill"  # -> the conversation is read
SPAN_INFERENCE_FIRST_TOKEN: Final = "a2.inference.first_token"  # -> the first token is drawn
SPAN_INFERENCE_FIRST_AUDIO: Final = "a2.inference.first_audio"  # -> first packet with sound (and motion)
SPAN_INFERENCE_SPEAKING: Final = "a2.inference.speaking"  # -> last packet
SPAN_INFERENCE_ENGINE: Final = "a2.inference.engine"  # below respond, where the engine runs behind Triton: its side of it
SPAN_INFERENCE_LISTEN: Final = "a2.inference.listen"

ATTR_INPUT_TOKENS: Final = "a2.usage.input_tokens"
ATTR_CACHED_TOKENS: Final = "a2.usage.cached_tokens"
ATTR_OUTPUT_TEXT_TOKENS: Final = "a2.usage.output_text_tokens"
ATTR_OUTPUT_AUDIO_MS: Final = "a2.usage.output_audio_ms"
ATTR_FINISH_REASON: Final = "a2.finish_reason"
ATTR_COMPUTE_MS: Final = "a2.compute_ms"
ATTR_FINAL: Final = "a2.final"

METRIC_INFERENCE_SLOTS: Final = "a2_inference_slots"  # gauge; state: speaking | resting | free
METRIC_INFERENCE_DEVICE: Final = "a2_inference_device_info"  # gauge, always 1; what computes: kind cpu | gpu, and the labels below
METRIC_INFERENCE_STEP_SECONDS: Final = "a2_inference_step_seconds"
METRIC_INFERENCE_BATCH: Final = "a2_inference_batch_responses"  # responses in a step
METRIC_INFERENCE_QUEUE: Final = "a2_inference_queue_commands"  # gauge
METRIC_INFERENCE_KV_TOKENS: Final = "a2_inference_kv_tokens"  # gauge
METRIC_INFERENCE_KV_BYTES: Final = "a2_inference_kv_bytes"  # gauge: memory that those tokens take
METRIC_INFERENCE_REFUSED: Final = "a2_inference_refused"  # counter; reason: full | share | overloaded | draining | failed
METRIC_INFERENCE_RESPONSES: Final = "a2_inference_responses"  # counter; reason: completed | ... | failed
METRIC_INFERENCE_TOKENS: Final = "a2_inference_tokens"  # counter; kind: input | cached | output_text
METRIC_INFERENCE_AUDIO_SECONDS: Final = "a2_inference_audio_seconds"  # counter: speech made
METRIC_INFERENCE_FIRST_AUDIO_SECONDS: Final = "a2_inference_first_audio_seconds"
METRIC_INFERENCE_LISTEN_SECONDS: Final = "a2_inference_listen_seconds"  # final: true | false
METRIC_INFERENCE_EARS_WAITING: Final = "a2_inference_ears_waiting_calls"  # gauge: Listen calls beyond the workers
METRIC_INFERENCE_EAR_WORKERS: Final = "a2_inference_ear_workers"  # gauge
METRIC_INFERENCE_EAR_BUSY_SECONDS: Final = "a2_inference_ear_busy_seconds"  # counter: of all workers together

LABEL_STATE: Final = "state"
LABEL_REASON: Final = "reason"
LABEL_KIND: Final = "kind"
LABEL_FINAL: Final = "final"
LABEL_DEVICE: Final = "device"
LABEL_GPU: Final = "gpu"
LABEL_DRIVER: Final = "driver"
LABEL_CUDA: Final = "cuda"
LABEL_TORCH: Final = "torch"

BUCKETS_STEP_SECONDS: Final = (0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.025, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0)
BUCKETS_LATENCY_SECONDS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)
BUCKETS_BATCH: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)

# --- gateway: the session --------------------------------------------------------------------------------------------
SPAN_SESSION: Final = "a2.gateway.session"  # socket open -> closed; turns link to it
SPAN_TURN: Final = "a2.gateway.turn"  # end of the user's speech -> the answer is played; below it:
SPAN_ENDPOINTING: Final = "a2.gateway.endpointing"  # last voiced window -> the turn was called over
SPAN_TRANSCRIPTION: Final = "a2.gateway.transcription"  # -> final transcript
SPAN_FIRST_PACKET: Final = "a2.gateway.first_packet"  # asked inference -> first sound sent
SPAN_FIRST_MOTION: Final = "a2.gateway.first_motion"  # asked inference -> first motion sent
SPAN_LANGUAGE_MODEL: Final = "a2.gateway.language_model"  # a persona's endpoint was asked -> its last word; status: how it ended
SPAN_PLAYBACK: Final = "a2.gateway.playback"  # first sound sent -> played or cut

ATTR_STATUS: Final = "a2.status"
ATTR_CUT_MS: Final = "a2.cut_ms"
ATTR_CLOSE_REASON: Final = "a2.close_reason"
ATTR_TURNS: Final = "a2.turns"

# --- gateway: REST, limits, outbox ------------------------------------------------------------------------------------
METRIC_GATEWAY_REQUESTS: Final = "a2_gateway_requests"  # counter; method, route, status
METRIC_GATEWAY_REQUEST_SECONDS: Final = "a2_gateway_request_seconds"  # route
METRIC_GATEWAY_SESSIONS: Final = "a2_gateway_sessions"  # gauge: open sockets
METRIC_GATEWAY_RESPONSES: Final = "a2_gateway_responses"  # counter; status; code: of what failed, no_capacity when refused
METRIC_GATEWAY_FIRST_PACKET_SECONDS: Final = "a2_gateway_first_packet_seconds"  # the turn was called over -> first sound sent: FRL
METRIC_GATEWAY_PHASE_SECONDS: Final = "a2_gateway_phase_seconds"  # phase, version: what the time to the first sound was spent on
METRIC_GATEWAY_UNDERRUNS: Final = "a2_gateway_underruns"  # counter: responses whose player ran dry, as the gateway reckons it
METRIC_GATEWAY_LANGUAGE_MODEL: Final = "a2_gateway_language_model_responses"  # counter; reason: completed | failed | fallback | cancelled
METRIC_GATEWAY_LANGUAGE_MODEL_FIRST_SECONDS: Final = "a2_gateway_language_model_first_seconds"  # an endpoint was asked -> its first words
METRIC_GATEWAY_LANGUAGE_MODEL_FILLERS: Final = "a2_gateway_language_model_fillers"  # counter: said while an endpoint was slow
METRIC_GATEWAY_OUTBOX: Final = "a2_gateway_outbox_records"  # gauge: records the broker has not acknowledged
METRIC_GATEWAY_OUTBOX_FAILURES: Final = "a2_gateway_outbox_failures"  # gauge: failed deliveries in a row
METRIC_GATEWAY_SPOOL_BYTES: Final = "a2_gateway_spool_bytes"  # gauge: what Redis does not take waits on disk
METRIC_GATEWAY_SPOOL_DROPPED: Final = "a2_gateway_spool_dropped"  # gauge that only grows: entries that are lost
METRIC_GATEWAY_DEPENDENCY_UP: Final = "a2_gateway_dependency_up"  # gauge; dependency: redis | inference; 1: it answers
METRIC_GATEWAY_CANARY_FALLBACKS: Final = "a2_gateway_canary_fallbacks"  # counter; code: sessions that left the canary, and why
METRIC_GATEWAY_LOOP_LAG_SECONDS: Final = "a2_gateway_loop_lag_seconds"  # histogram: how late the event loop wakes a sleeper

LABEL_METHOD: Final = "method"
LABEL_ROUTE: Final = "route"
LABEL_STATUS: Final = "status"
LABEL_CODE: Final = "code"
LABEL_DEPENDENCY: Final = "dependency"
LABEL_PHASE: Final = "phase"
LABEL_VERSION: Final = "version"  # the model's revision

# endpointing is over when the turn is; the others, one after the other, sum up to the time to the first sound.
PHASES: Final = ("endpointing", "transcription", "admission", "prefill", "first_token", "first_audio", "delivery")

BUCKETS_LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# --- recorder --------------------------------------------------------------------------------------------------------
METRIC_RECORDER_RECORDS: Final = "a2_recorder_records"  # counter; topic, outcome: stored | repeated | unreadable
METRIC_RECORDER_LAPSED: Final = "a2_recorder_lapsed_transcripts"  # counter: deleted since their days were over
METRIC_RECORDER_LAG: Final = "a2_recorder_lag_records"  # gauge; topic: behind the end of its partitions

LABEL_TOPIC: Final = "topic"
LABEL_OUTCOME: Final = "outcome"

# --- web page: sent as OTLP/JSON through the gateway; repeated in services/web, which a unit test compares ------------
SPAN_WEB_TURN: Final = "a2.web.turn"  # first packet of a response received -> its playback ended; below it:
SPAN_WEB_FIRST_AUDIO: Final = "a2.web.first_audio"  # end of the user's turn (or send) -> first audible sample: TTFA
SPAN_WEB_FIRST_MOTION: Final = "a2.web.first_motion"  # -> first motion frame shown: TTFM
SPAN_WEB_PLAYBACK: Final = "a2.web.playback"  # first audible sample -> last one

ATTR_UNDERRUNS: Final = "a2.underruns"
