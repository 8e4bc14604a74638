"""Everything that is kept somewhere, as text: to look whether words are in it."""

from redis.asyncio import Redis
from sqlalchemy import create_engine, inspect, text


async def all_of_redis(redis: Redis) -> str:
    """Keys and values of every kind."""
    found = []
    async for key in redis.scan_iter():
        read = {
            b"string": redis.get,
            b"hash": redis.hgetall,
            b"set": redis.smembers,
            b"stream": redis.xrange,
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"zset": lambda key: redis.zrange(key, 0, -1),
        }
        found.append(f"{key!r}: {await read[await redis.type(key)](key)!r}")
    return "\n".join(found)


def all_of_sql(url: str) -> str:
    """Rows of every table."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        found = [f"{name}: {connection.execute(text(f'select * from {name}')).all()!r}" for name in tables]
    engine.dispose()
    return "\n".join(found)
