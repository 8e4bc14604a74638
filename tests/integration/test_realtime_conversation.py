"""Text in, events out: GA order and ids, items, tools, responses beside the conversation, refusals, resume."""

import asyncio
import base64

import pytest
import websockets
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.servers.realtime import Allowance, Client, OneKey, Script, run, silence, speech, standing

from a2serve.gateway.access import client_secrets

RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def collapsed(kinds: list[str]) -> list[str]:
    """Each kind where it first came."""
    return list(dict.fromkeys(kinds))


async def answered(client: Client, text: str) -> dict:
    await client.ask(text)
    done = await client.until("response.done")
    await client.until("rate_limits.updated")
    return done["response"]


def test_a_question_and_its_answer_in_ga_order():
    async def scene() -> None:
        async with standing(Script(packets=8)) as stand, stand.connect() as client:
            session = (await client.next())["session"]
            assert session["object"] == "realtime.session" and session["model"] == "a2-llm" and "a2" not in session
            response = await answered(client, "hello")
            kinds = client.kinds()[1:]
            assert kinds[:2] == ["conversation.item.added", "conversation.item.done"]
            assert collapsed(kinds[2:]) == RESPONSE
            user, avatar = client.of("conversation.item.done")
            assert user["previous_item_id"] is None and avatar["previous_item_id"] == user["item"]["id"]
            deltas = client.of("response.output_audio.delta")
            places = {(e["response_id"], e["item_id"], e["output_index"], e["content_index"]) for e in deltas}
            assert places == {(response["id"], avatar["item"]["id"], 0, 0)}
            assert "".join(e["delta"] for e in client.of("response.output_audio_transcript.delta")) == "one two"
            sound = b"".join(base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta"))
            assert len(sound) == 8 * 1200 * 2
            assert response["status"] == "completed" and response["output"][0]["content"][0]["transcript"] == "one two"
            usage = response["usage"]
            assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (30, 15, 45)
            assert usage["input_token_details"]["cached_tokens"] == 10 and usage["output_token_details"]["audio_tokens"] == 8
            assert [int(e["event_id"].rsplit("_", 1)[1]) for e in client.events] == list(range(1, len(client.events) + 1))
            assert stand.script.metadata[0]["session-id"] == session["id"] and stand.script.requests[0].tenant == "acme"
        assert stand.memory.turns[0].status == "completed" and stand.memory.turns[0].avatar_text == "one two"
        assert [facts.event for facts in stand.memory.sessions] == ["opened", "closed"]
        assert stand.memory.sessions[1].cause == "client_left" and session["id"] in stand.script.released

    run(scene)


def test_text_only_has_no_audio():
    async def scene() -> None:
        async with standing(Script(packets=8)) as stand, stand.connect() as client:
            await client.next()
            await client.update(output_modalities=["text"], instructions="be brief", max_output_tokens=50)
            response = await answered(client, "hello")
            assert response["output_modalities"] == ["text"] and response["output"][0]["content"][0]["text"] == "one two"
            assert client.of("response.output_text.done")[0]["text"] == "one two"
            assert not [kind for kind in client.kinds() if "audio" in kind]
            request = stand.script.requests[0]
            assert not request.audio and request.instructions == "be brief" and request.max_output_tokens == 50

    run(scene)


def test_a_session_and_a_response_choose_how_words_are_drawn():
    async def scene() -> None:
        script = Script(packets=2)
        async with standing(script) as stand, stand.connect() as client:
            await client.next()
            updated = (await client.update(temperature=0.5, top_p=0.25, seed=7, affect={"category": "joy", "intensity": 0.5}))["session"]
            assert (updated["temperature"], updated["top_p"], updated["seed"]) == (0.5, 0.25, 7)
            await answered(client, "hi")
            await client.send("response.create", response={"temperature": 1.5, "top_p": 1, "seed": None})
            await client.until("response.done")
            drawn = [(request.temperature, request.top_p, request.seed, request.affect.category) for request in script.requests]
            assert drawn == [(0.5, 0.25, 7, "joy"), (1.5, 1.0, 7, "joy")]
            for name, wrong in (("temperature", 3), ("top_p", 0), ("seed", -1)):
                await client.send("session.update", session={"type": "realtime", name: wrong})
                error = (await client.until("error"))["error"]
                assert (error["code"], error["param"]) == ("invalid_value", f"session.{name}")

    run(scene)


def test_a_function_call_and_its_result():
    async def scene() -> None:
        script = Script(packets=4, call=("clock", '{"zone": "utc"}'))
        tool = {"type": "function", "name": "clock", "description": "d", "parameters": {"type": "object"}}
        async with standing(script) as stand, stand.connect() as client:
            await client.next()
            await client.update(tools=[tool], tool_choice={"type": "function", "name": "clock"})
            response = await answered(client, "what time is it?")
            message, call = response["output"]
            assert (call["type"], call["name"], call["call_id"], call["status"]) == ("function_call", "clock", "call_1", "completed")
            assert client.of("response.function_call_arguments.done")[0]["arguments"] == '{"zone": "utc"}'
            assert [e["output_index"] for e in client.of("response.output_item.done")] == [0, 1]
            assert client.of("conversation.item.added")[-1]["previous_item_id"] == message["id"]
            request = script.requests[0]
            assert request.tool_choice == "clock" and '"clock"' in request.tools_json
            script.call = None
            await client.send("conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": "noon"})
            await client.send("response.create")
            await client.until("response.done")
            roles = [(item.role, item.text, item.call_id) for item in script.requests[1].items]
            assert roles == [(2, "what time is it?", ""), (3, "one", ""), (4, '{"zone": "utc"}', "call_1"), (5, "noon", "call_1")]
            orphan = {"type": "function_call_output", "call_id": "no", "output": ""}
            await client.send("conversation.item.create", event_id="e9", item=orphan)
            error = (await client.until("error"))["error"]
            assert (error["code"], error["event_id"]) == ("invalid_tool_call_id", "e9")
            await client.send("response.create", response={"tool_choice": {"type": "function", "name": "other"}})
            assert (await client.until("error"))["error"]["param"] == "tool_choice"

    run(scene)


def test_a_response_beside_the_conversation():
    async def scene() -> None:
        async with standing(Script(packets=4)) as stand, stand.connect() as client:
            await client.next()
            await answered(client, "hello")
            item_id = client.of("conversation.item.added")[0]["item"]["id"]
            added = len(client.of("conversation.item.added"))
            given = [
                {"type": "item_reference", "id": item_id},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify"}]},
            ]
            options = {"conversation": "none", "output_modalities": ["text"], "input": given, "metadata": {"topic": "x"}}
            await client.send("response.create", response=options)
            done = (await client.until("response.done"))["response"]
            assert done["conversation_id"] is None and done["metadata"] == {"topic": "x"}
            assert len(client.of("conversation.item.added")) == added
            request = stand.script.requests[1]
            assert [item.text for item in request.items] == ["hello", "classify"]
            assert request.session_id.endswith("." + done["id"])
            await answered(client, "again")
            assert request.session_id in stand.script.released

    run(scene)


def test_sound_without_words_is_no_input_of_a_single_response():
    async def scene() -> None:
        async with standing(Script(packets=2)) as stand, stand.connect() as client:
            await client.next()
            part = {"type": "input_audio", "audio": base64.b64encode(silence(200)).decode()}
            for extra in ({}, {"transcript": "hello"}):
                given = {"type": "message", "role": "user", "content": [part | extra]}
                await client.send("response.create", event_id="e", response={"conversation": "none", "input": [given]})
                response = await client.until("error", "response.done")
                assert response["type"] == "response.done" or response["error"]["code"] == "unsupported"
            assert [[item.text for item in request.items] for request in stand.script.requests] == [["hello"]]

    run(scene)


def test_what_is_left_of_the_limit_is_told_and_kept_to():
    async def scene() -> None:
        admission = OneKey(allowed=Allowance(limit=2))
        async with standing(Script(packets=2), admission=admission) as stand, stand.connect() as client:
            await client.next()
            for left in (1, 0):
                assert (await answered(client, "hello"))["status"] == "completed"
                limit = client.of("rate_limits.updated")[-1]["rate_limits"]
                assert limit == [{"name": "requests", "limit": 2, "remaining": left, "reset_seconds": 1.0}]
            error = (await answered(client, "once more"))["status_details"]["error"]
            assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limited") and len(stand.script.requests) == 2

    run(scene)


def test_an_item_that_was_deleted_while_it_was_made_is_not_cut():
    async def scene() -> None:
        async with standing(Script(packets=100)) as stand, stand.connect() as client:
            await client.next()
            await client.ask("hello")
            item_id = (await client.until("response.output_audio.delta"))["item_id"]
            response_id = client.of("response.created")[0]["response"]["id"]
            await client.send("conversation.item.delete", item_id=item_id)
            await client.send("a2.playback", response_id=response_id, played_ms=2**63 - 1, state="position")
            await client.send("a2.playback", response_id=response_id, played_ms=100, state="position")
            await client.send("response.cancel")
            await client.until("response.done")
            assert not client.of("conversation.item.truncated")
            stand.script.packets = 2
            await client.send("response.create")
            await client.until("response.done")
            assert [item.role for item in stand.script.requests[-1].items] == [2]

    run(scene)


def test_items_are_placed_fetched_cut_and_deleted():
    async def scene() -> None:
        async with standing(Script(packets=20)) as stand, stand.connect() as client:
            await client.next()
            response = await answered(client, "hello")
            item_id = response["output"][0]["id"]

            def note(text: str) -> dict:
                return {"type": "message", "role": "system", "id": text, "content": [{"type": "input_text", "text": text}]}

            await client.send("conversation.item.create", item=note("first"), previous_item_id="root")
            assert (await client.until("conversation.item.added"))["previous_item_id"] is None
            await client.send("conversation.item.create", item=note("last"))
            assert (await client.until("conversation.item.added"))["previous_item_id"] == item_id
            lost = {"item": note("x"), "previous_item_id": "nobody"}
            for bad, code in ((lost, "item_not_found"), ({"item": note("last")}, "item_already_exists")):
                await client.send("conversation.item.create", event_id="e", **bad)
                error = (await client.until("error"))["error"]
                assert (error["code"], error["event_id"]) == (code, "e")
            cuts = ((99_999, 1000, "one two three four five"), (401, 401, "one two three"), (900, 401, None), (-1, 0, ""))
            for end_ms, expected, words in cuts:
                await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)
                assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == expected
                await client.send("conversation.item.retrieve", item_id=item_id)
                content = (await client.until("conversation.item.retrieved"))["item"]["content"]
                assert words is None or content == [{"type": "output_audio", "transcript": words}]
            for wrong_id, index, param in (("last", 0, "item_id"), (item_id, 1, "content_index")):
                await client.send("conversation.item.truncate", item_id=wrong_id, content_index=index, audio_end_ms=0)
                error = (await client.until("error"))["error"]
                assert (error["code"], error["param"]) == ("invalid_value", param)
            await client.send("conversation.item.delete", item_id="last")
            assert (await client.until("conversation.item.deleted"))["item_id"] == "last"
            for kind in ("delete", "retrieve", "truncate"):
                extra = {"content_index": 0, "audio_end_ms": 0} if kind == "truncate" else {}
                await client.send(f"conversation.item.{kind}", item_id="last", **extra)
                assert (await client.until("error"))["error"]["code"] == "item_not_found"
            await client.send("response.create")
            await client.until("response.done")
            assert [item.text for item in stand.script.requests[1].items] == ["first", "hello"]  # the rest was not heard

    run(scene)


def test_cancel_stops_at_once_and_only_one_answer_at_a_time():
    async def scene() -> None:
        async with standing(Script(packets=2000, pace_s=0.005)) as stand, stand.connect() as client:
            await client.next()
            await client.send("response.cancel", event_id="c0")
            error = (await client.until("error"))["error"]
            assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "c0")
            await client.ask("hello")
            await client.until("response.output_audio.delta")
            await client.send("response.create", event_id="c1")
            assert (await client.until("error"))["error"]["code"] == "conversation_already_has_active_response"
            await client.send("response.cancel")
            response = (await client.until("response.done"))["response"]
            assert response["status"] == "cancelled" and response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
            assert response["output"][0]["status"] == "incomplete"
            assert not [e for e in await client.quiet(0.3) if "delta" in e["type"]]
            async with asyncio.timeout(10):
                while stand.script.cancelled != 1:
                    await asyncio.sleep(0.02)
            sent_ms = 50 * len(client.of("response.output_audio.delta"))
            assert 0 < sent_ms <= 1550  # the lead
            stand.script.packets = 2
            assert (await answered(client, "again"))["status"] == "completed"

    run(scene)


def test_a_refusal_fails_the_response_and_not_the_session():
    async def scene() -> None:
        async with standing(Script(packets=2, refuse=True)) as stand, stand.connect() as client:
            await client.next()
            response = await answered(client, "hello")
            assert response["status"] == "failed"
            error = response["status_details"]["error"]
            assert (error["type"], error["code"]) == ("server_error", "no_capacity") and "1500 ms" in error["message"]
            stand.script.refuse = False
            assert (await answered(client, "and now?"))["status"] == "completed"

    run(scene)


def test_a_lost_model_is_told_and_the_socket_lives():
    async def scene() -> None:
        async with standing(target="127.0.0.1:1") as stand, stand.connect() as client:
            assert (await client.next())["type"] == "session.created"
            response = await answered(client, "hello")
            assert response["status_details"]["error"]["code"] == "inference_unavailable"
            assert (await client.update(instructions="x"))["session"]["instructions"] == "x"

    run(scene)


def test_a_session_is_continued_where_it_was():
    async def scene() -> None:
        async with standing(Script(packets=4)) as stand:
            async with stand.connect() as client:
                session_id = (await client.next())["session"]["id"]
                await client.update(instructions="be kind", audio={"input": {"turn_detection": None}})
                await answered(client, "hello")
                seen = int(client.events[-1]["event_id"].rsplit("_", 1)[1])
                await answered(client, "missed by the client")
            while ("acme", session_id) not in stand.memory.saved or stand.service.sessions:
                await asyncio.sleep(0.02)
            async with stand.connect(f"&resume={session_id}&last_sequence={seen}") as client:
                session = (await client.next())["session"]
                assert session["id"] == session_id and session["instructions"] == "be kind"
                assert session["audio"]["input"]["turn_detection"] is None
                await answered(client, "third")
                missed = [e["item"]["content"][0] for e in client.of("conversation.item.done")[:2]]
                assert [part.get("text") or part["transcript"] for part in missed] == ["missed by the client", "one"]
                numbers = [int(e["event_id"].rsplit("_", 1)[1]) for e in client.events]
                assert numbers[0] > seen and numbers == sorted(numbers)
            texts = [item.text for item in stand.script.requests[-1].items]
            assert texts == ["hello", "one", "missed by the client", "one", "third"]
            for odd in ("\u00b2", "9" * 5000, "-1", "x"):
                async with stand.connect(f"&resume={session_id}&last_sequence={odd}") as client:
                    assert (await client.next())["type"] == "session.created"

    run(scene)


def test_a_session_is_kept_from_its_beginning_and_given_up_when_it_is_gone():
    async def scene() -> None:
        for cause, code in (("deleted", 1000), ("taken_over", 1008)):
            async with standing(Script(packets=2)) as stand, stand.connect() as client:
                session_id = (await client.next())["session"]["id"]
                await answered(client, "hello")
                saved = stand.memory.saved["acme", session_id]
                assert len(saved.items) == 2 and saved.config["type"] == "realtime"
                stand.memory.gone = cause
                await client.ask("and now?")
                assert (await client.until("error"))["error"]["code"] == "session_expired"
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    while True:
                        await client.next()
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, cause)
            assert stand.memory.saved["acme", session_id] == saved and stand.memory.sessions[-1].cause == cause
            assert (session_id in stand.script.released) == (cause == "deleted")

    run(scene)


def test_what_a_secret_fixes_stays_fixed():
    async def scene() -> None:
        fixed = {"instructions": "be kind", "tools": []}
        secret = client_secrets.Grant(id="cs_1", tenant="acme", key_id="k", config=fixed, origin=None, expires_at=0)
        async with standing(admission=OneKey(secret)) as stand, stand.connect() as client:
            assert (await client.next())["session"]["instructions"] == "be kind"
            await client.update(instructions="be kind", audio={"output": {"voice": "hibari"}})
            await client.send("session.update", session={"type": "realtime", "instructions": "be rude"})
            assert (await client.until("error"))["error"]["code"] == "forbidden"
            assert (await client.update(tool_choice="none"))["session"]["instructions"] == "be kind"

    run(scene)


def test_strangers_are_refused_before_the_upgrade():
    async def scene() -> None:
        async with standing() as stand:
            try:
                async with websockets.connect(stand.url):
                    raise AssertionError("it opened")
            except websockets.InvalidStatus as refused:
                assert refused.response.status_code == 401
                assert refused.response.headers["content-type"] == "application/problem+json"
                assert b'"unauthorized"' in refused.response.body
            options = {"subprotocols": ["realtime", "openai-insecure-api-key.test"]}
            async with stand.connect(**options) as client:
                assert client.socket.subprotocol == "realtime"
            try:
                async with stand.connect("&resume=sess_of_somebody_else"):
                    raise AssertionError("it opened")
            except websockets.InvalidStatus as refused:
                assert refused.response.status_code == 404

    run(scene)


def test_one_trace_from_the_users_last_word_to_the_models_first():
    """The turn, its parts, and what goes on to inference and to the client's playback share one trace."""

    async def scene() -> None:
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        script = Script(packets=4, transcripts=["hello there"])
        async with standing(script, tracer=provider.get_tracer("test")) as stand, stand.connect() as client:
            await client.next()
            await client.update(a2={"motion": {"fps": 30}, "listening": False})
            await client.say(speech() + silence(960))
            await client.until("response.done")
            traceparent = client.of("response.created")[0]["response"]["metadata"]["a2.traceparent"]
            stand.clock.ms += 200
            while len(exporter.get_finished_spans()) < 6:
                await asyncio.sleep(0.02)
            spans = {span.name.rsplit(".", 1)[1]: span for span in exporter.get_finished_spans()}
            assert set(spans) == {"turn", "endpointing", "transcription", "first_packet", "first_motion", "playback"}
            assert script.metadata[0]["traceparent"] == traceparent
            assert traceparent.split("-")[1:3] == [f"{spans['turn'].context.trace_id:032x}", f"{spans['turn'].context.span_id:016x}"]
            assert all(span.parent.span_id == spans["turn"].context.span_id for name, span in spans.items() if name != "turn")
            assert spans["turn"].start_time <= spans["endpointing"].start_time
            assert spans["turn"].attributes["a2.tenant"] == "acme" and spans["turn"].attributes["a2.status"] == "completed"
            assert stand.memory.turns[0].trace_id == traceparent.split("-")[1]
            assert spans["turn"].attributes["a2.utterance_id"] == client.of("input_audio_buffer.committed")[0]["item_id"]
        session = next(span for span in exporter.get_finished_spans() if span.name == "a2.gateway.session")
        assert (session.attributes["a2.close_reason"], session.attributes["a2.turns"]) == ("client_left", 1)
        assert [link.context.span_id for link in spans["turn"].links] == [session.context.span_id]

    run(scene)


def test_only_voices_that_there_are_can_be_chosen():
    """hibari is the voice of the model's persona; a stock client's alloy is whatever the persona's voice is."""

    async def scene() -> None:
        async with standing(Script(packets=2)) as stand, stand.connect() as client:
            await client.next()
            for given, used in (("alloy", "default"), ("hibari", "hibari"), ({"id": "hibari"}, "hibari"), ("default", "default")):
                updated = await client.update(audio={"output": {"voice": given}})
                assert updated["session"]["audio"]["output"]["voice"] == used
            audio = {"output": {"voice": "zorro"}}
            asked = {"session.update": {"session": {"type": "realtime", "audio": audio}}, "response.create": {"response": {"audio": audio}}}
            for kind, fields in asked.items():
                await client.send(kind, **fields)
                error = (await client.until("error"))["error"]
                assert (error["code"], error["param"]) == ("unsupported", "audio.output.voice")
                assert error["message"].endswith("(available: default, hibari)")
            await client.send("response.create", response={"audio": {"output": {"voice": "coral"}}})
            assert (await client.until("response.done"))["response"]["audio"]["output"]["voice"] == "default"

    run(scene)
