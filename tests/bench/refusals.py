"""How fast one too many is refused: `python tests/bench/refusals.py URL KEY`, while every slot of the service speaks. Prints JSON."""

import json
import sys
import time

import httpx

WANTED, MOST_ANSWERED, PAUSE_S = 40, 400, 0.1
ONE_WORD = {"text": "Hello", "response": {"output_modalities": ["text"], "max_output_tokens": 1}}  # ends at once where it is let in


def main() -> None:
    url, key = sys.argv[1:]
    took_ms, answered = list[float](), 0
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60) as rest:
        opened = rest.post("/v1/sessions", json={})
        opened.raise_for_status()
        path = f"/v1/sessions/{opened.json()['id']}/turns"
        while len(took_ms) < WANTED and answered < MOST_ANSWERED:
            began_s = time.monotonic()
            response = rest.post(path, json=ONE_WORD)
            if response.status_code == 503 and "retry-after" in response.headers:
                took_ms.append(1000 * (time.monotonic() - began_s))
            else:
                response.raise_for_status()
                answered += 1
            time.sleep(PAUSE_S)
    print(json.dumps({"took_ms": took_ms, "answered": answered}))


if __name__ == "__main__":
    main()
