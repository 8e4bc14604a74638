"""Numbers of other servers on /debug: read from their Prometheus pages, added up, and a server that is away is said to be."""

import asyncio

from a2serve.local.traces.servers import ask_servers, read_numbers

PAGE = """# HELP haproxy_backend_active_servers Total number of active UP servers with a non-zero weight
# TYPE haproxy_backend_active_servers gauge
haproxy_backend_active_servers{proxy="grpc-avatar"} 2
haproxy_backend_active_servers{proxy="http-avatar"} 5
# TYPE a2_inference_slots gauge
a2_inference_slots{state="speaking"} 1.0
a2_inference_slots{state="free"} 3.0
# TYPE a2_inference_responses_total counter
a2_inference_responses_total{reason="completed"} 7.0
a2_inference_responses_total{reason="cancelled"} 1.0
unrelated{x="1"} 5
"""


def test_series_are_added_up_by_name_and_label():
    assert read_numbers(PAGE) == {"slots": 4.0, "speaking": 1.0, "responses": 8.0, "replicas up": 2.0}


def test_a_server_that_is_away_is_said_to_be():
    (server,) = asyncio.run(ask_servers({"ray": "http://127.0.0.1:1/metrics"}))
    assert (server["name"], server["numbers"], server["problem"]) == ("ray", {}, "ConnectError")
