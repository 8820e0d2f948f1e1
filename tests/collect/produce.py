"""Writes each line of a file as a record. usage: produce.py BROKER TOPIC PARTITION FILE; -1 is any"""
import sys

from confluent_kafka import Producer

broker, topic, partition, path = sys.argv[1:]
producer = Producer({"bootstrap.servers": broker, "linger.ms": 5, "compression.type": "gzip", "enable.idempotence": False})
with open(path, encoding="utf-8") as lines:
    for number, line in enumerate(lines):
        while True:
            try:
                producer.produce(topic, line.rstrip("\n").encode(), partition=int(partition))
                break
            except BufferError:
                producer.poll(0.1)
        if number % 500 == 0:
            producer.poll(0)
left = producer.flush(60)
assert left == 0, f"{left} records were not taken"
