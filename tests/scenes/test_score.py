#!/usr/bin/env python3
"""What counts as found, as missed and as false: python3 tests/scenes/test_score.py"""

import unittest

import score


def attack(name="a", **more):
    label = {"id": name, "kind": "bola_read", "service": "shop", "host": "shop.example", "outcome": "confirmed", "start": 1000.0, "end": 1100.0,
             "actor_ips": ["192.0.2.1"], "actors_known": True, "spots": {"GET /orders/*"}}
    return {**label, **more}


def finding(detector="foreign-objects", incident="i", at=1050.0, port=1, ip="192.0.2.1", **more):
    return score.Finding(incident, detector, at, at, [(ip, port)], [ip], {"GET /orders/{orderId}"}, "shop.example", **{"outcome": "confirmed", **more})


def row(label, port=1, ip="192.0.2.1", at=1050.0, what="attack"):
    return {"client_ip": ip, "client_port": port, "time": at, "label": label, "what": what}


def judge(labels, said, rows):
    score.attribute(said, rows, labels)
    result = score.score(labels, said)
    return [verdict["named"] for verdict in result.verdicts], [finding.what for finding in score.incidents(result.false)]


class Scoring(unittest.TestCase):
    def test_right_detector_actor_and_time_is_a_hit(self):
        self.assertEqual(judge([attack()], [finding()], [row("a")]), ([True], []))

    def test_another_detector_is_no_hit_and_not_false(self):
        # Titles and OWASP's names hold many words; the detector's name alone counts.
        self.assertEqual(judge([attack()], [finding("bot-timing")], [row("a")]), ([False], []))

    def test_neighbour_behind_the_same_address_is_falsely_accused(self):
        said = [finding(port=2)]
        self.assertEqual(judge([attack()], said, [row("a"), row(None, port=2, what="human")]), ([False], ["human"]))

    def test_victim_is_no_actor(self):
        said = [finding("token-in-two-places", ip="82.3.77.1", port=9)]
        labels = [attack(kind="token_two_places", victims=["ann@example.org"])]
        self.assertEqual(judge(labels, said, [row(None, port=9, ip="82.3.77.1", what="victim")]), ([False], ["victim"]))

    def test_too_late_is_no_hit(self):
        said = [finding(at=1100.0 + score.SLACK + 60)]
        self.assertEqual(judge([attack()], said, [row("a", at=1100.0)])[0], [False])

    def test_one_false_finding_makes_its_incident_false(self):
        said = [finding(), finding(port=2)]
        self.assertEqual(judge([attack()], said, [row("a"), row(None, port=2, what="staff")]), ([True], ["staff"]))

    def test_where_nobody_is_to_blame_place_and_time_have_to_be_right(self):
        label = attack(kind="secrets_in_answer", actors_known=False, spots={"GET /config/client"})
        right = finding("excessive-exposure", port=3)
        right.spots = {"GET /config/client"}
        rows = [row(None, port=3, what="human"), row(None, port=4, what="human")]
        self.assertEqual(judge([label], [right], rows), ([True], []))
        # Neither another place nor another detector is excused by it.
        self.assertEqual(judge([label], [finding("excessive-exposure", port=4)], rows), ([False], ["human"]))
        wrong = finding("bot-timing", port=4)
        wrong.spots = {"GET /config/client"}
        self.assertEqual(judge([label], [wrong], rows), ([False], ["human"]))

    def test_posture_accuses_nobody_and_counts_where_it_is_right(self):
        label = attack(kind="cors")
        said = [finding("cors-any-origin", judges=False)]
        self.assertEqual(judge([label], said, []), ([True], []))
        self.assertEqual(judge([attack(kind="cors", outcome="blocked")], said, []), ([False], []))
        self.assertEqual(judge([label], [finding("verbose-errors", judges=False)], []), ([False], []))

    def test_outcomes_that_are_not_told_are_not_right(self):
        labels = [attack("a"), attack("b", outcome="blocked")]
        for label, told in zip(labels, ["confirmed", "blocked"]):
            label["tapwire"] = {"judged": True, "outcome": told}
        self.assertEqual(score.outcome_f1(labels), 1.0)
        labels[0]["tapwire"]["outcome"] = None
        self.assertEqual(score.outcome_f1(labels), 0.5)

    def test_findings_of_different_attacks_in_one_incident_are_counted(self):
        said = [finding(), finding(port=2), finding(incident="j", port=3)]
        score.attribute(said, [row("a"), row("b", port=2), row("b", port=3)])
        self.assertEqual(score.mixed(said), (1, 2))


if __name__ == "__main__":
    unittest.main()
