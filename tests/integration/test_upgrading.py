"""Keys of the version whose names had no hash tag, as that gateway wrote them: the command of docs/serving.md brings them over."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from support.servers.gateway import gateway_standing, run

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
SESSION = "sess_80450c4a2872d05a257b"
CONFIG = (
    '{"type":"realtime","model":"a2-llm","instructions":"","output_modalities":["audio"],"audio":{"input":{"format":{"type":"audio/pcm",'
    '"rate":24000},"turn_detection":{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":500,'
    '"create_response":true,"interrupt_response":true}},"output":{"format":{"type":"audio/pcm","rate":24000},"voice":"default",'
    '"speed":1.0}},"tools":[],"tool_choice":"auto","max_output_tokens":"inf"}'
)
QUESTION = (
    '{"id":"item_1","type":"message","role":"user","parts":[{"type":"input_text","text":"Hello"}],"status":"completed","call_id":"",'
    '"name":"","text":"","words":[],"audio_ms":0.0,"voice_affect":null,"sequence":3,"tokens":[]}'
)
RESPONSE = (
    '{"id":"item_2","type":"message","role":"assistant","parts":[{"type":"output_audio","text":"one two"}],"status":"completed",'
    '"call_id":"","name":"","text":"","words":[{"start_ms":0.0,"text":"one"},{"start_ms":200.0,"text":"two"}],"audio_ms":400.0,'
    '"voice_affect":null,"sequence":36,"tokens":[0,1,2]}'
)
PERSONA = '{"name":"host","instructions":"be kind","avatar":"woman","voice":"heart","affect_baseline":null}'


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli")
def test_the_documented_copy_brings_sessions_and_personas_over(valkey_port: int, tmp_path: Path) -> None:
    (command,) = re.findall(r"^redis-cli --scan --pattern 'a2:\*' \| grep .*$", PAGE, re.MULTILINE)
    with Redis(port=valkey_port) as redis:
        redis.hset(f"a2:acme:session:{SESSION}", mapping={"sequence": 38, "config": CONFIG, "created_at": 1795989301, "holder": "socket_1"})
        redis.rpush(f"a2:acme:conversation:{SESSION}", QUESTION, RESPONSE)
        redis.expire(f"a2:acme:session:{SESSION}", 900)
        redis.hset("a2:acme:personas", "host", PERSONA)
        redis.set("a2:acme:rate:requests", 1)
        redis.xadd("a2:outbox", {"topic": "t", "value": "v"})
        on_port = command.replace("redis-cli", f"redis-cli -p {valkey_port}")
        subprocess.run(["bash", "-c", on_port], check=True, capture_output=True, timeout=30)
        copied = {key.decode() for key in redis.keys("{a2}:*")}
        assert copied == {"{a2}:acme:" + name for name in (f"session:{SESSION}", f"conversation:{SESSION}", "personas")}
        assert 0 < redis.ttl("{a2}:acme:session:" + SESSION) <= 900

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made:
            async with made.talking(f"&resume={SESSION}") as client:
                await client.ask("And now?")
                assert (await client.until("response.done"))["response"]["status"] == "completed"
            asked = [(item.text, list(item.tokens)) for item in made.script.requests[0].items]
            assert asked[:3] == [("Hello", []), ("one two", [0, 1, 2]), ("And now?", [])]
            async with made.client() as http:
                personas = json.loads((await http.get("/v1/personas")).text)["data"]
                assert "host" in {persona["name"] for persona in personas}

    run(within)
