"""Reads a topic to its COUNTth event: partition, tab, event. usage: read_back.py BROKER TOPIC COUNT"""
import sys
import time

from confluent_kafka import Consumer, TopicPartition

broker, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings = {
    "bootstrap.servers": broker,
    "group.id": "tapwire-test",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "check.crcs": True,
}
consumer = Consumer(settings)
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
read, until = 0, time.monotonic() + 60
while read < count and time.monotonic() < until:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    key = message.key().decode()
    assert key in message.value().decode(), key
    assert message.timestamp()[1] == 1795219200123, message.timestamp()
    sys.stdout.write(f"{message.partition()}\t{message.value().decode()}\n")
    read += 1
consumer.close()
