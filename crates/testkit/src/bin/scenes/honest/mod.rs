//! Honest traffic that looks like attacks: each scene on a service of its own, whose names and ways follow from a number.

mod access;
mod browsers;
mod machines;
mod roles;
mod stage;
mod texts;

use crate::exchange::Exchange;
use crate::labels::About;
use crate::people::activity;
use crate::values::mix;
use crate::world::{Actor, Client, DAY, MINUTE, SECOND, World};
use stage::Stage;
use tapwire_testkit::Random;

/// A scene without an attack.
#[derive(Debug)]
pub(crate) struct Honest {
    /// What its requests are called in the log.
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    /// Its part of all honest scenes' traffic.
    weight: f64,
    /// Exchanges that a visit has, about.
    each: f64,
    visit: fn(&mut Visit, &mut World),
}

/// Of all exchanges that are no attack, those of these scenes.
pub(crate) const SHARE: f64 = 0.16;

/// All of them.
pub(crate) fn scenes() -> impl Iterator<Item = &'static Honest> {
    [access::SCENES, browsers::SCENES, machines::SCENES, texts::SCENES, roles::SCENES].into_iter().flatten()
}

/// Lets every scene play on one stage of the part that is made, for a capture with so many exchanges a day.
pub(crate) fn gather(world: &mut World, daily: f64) {
    let weights: f64 = scenes().map(|scene| scene.weight).sum();
    for (place, scene) in (0..).zip(scenes()) {
        let stage = Stage::new(world, scene.name);
        let random = world.random(scene.name, stage.number);
        let visits = (daily * SHARE * scene.weight / weights / scene.each).max(3.0);
        let crowd = Crowd { scene, stage, random, gap: DAY as f64 / visits, nth: 0 };
        world.spawn(world.now + place * 7 * SECOND, crowd);
    }
}

/// Sends visitors, more by day.
struct Crowd {
    scene: &'static Honest,
    stage: Stage,
    random: Random,
    /// Nanoseconds from visit to visit, at mean activity.
    gap: f64,
    nth: u64,
}

impl Actor for Crowd {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        self.nth += 1;
        let user = self.random.below(self.stage.api.users as usize) as u32;
        let client = self.stage.client(user);
        let random = &mut self.random;
        let mut visit =
            Visit { stage: &self.stage, what: self.scene.name, client, user, nth: self.nth, random };
        (self.scene.visit)(&mut visit, world);
        visit.client.close(world);
        let share = (1 + self.random.below(2_000)) as f64 / 1_000.0;
        Some(world.now + (self.gap * share / activity(world.now)).min(6.0 * 60.0 * MINUTE as f64) as i64)
    }
}

/// Somebody who is there for a while.
struct Visit<'a> {
    stage: &'a Stage,
    what: &'static str,
    client: Client,
    user: u32,
    /// How many visits there were, this one with them.
    nth: u64,
    random: &'a mut Random,
}

impl Visit<'_> {
    fn say(&mut self, world: &mut World, exchange: &Exchange) {
        world.say(&mut self.client, self.stage.api, exchange, &About::benign(self.what));
    }

    /// Asks, then reads what came for a few seconds.
    fn ask(&mut self, world: &mut World, exchange: &Exchange) {
        self.say(world, exchange);
        self.waits(1, 12);
    }

    fn waits(&mut self, low: usize, high: usize) {
        let milliseconds = self.random.between(low * 1_000, high * 1_000);
        self.client.busy += milliseconds as i64 * 1_000_000 + self.random.below(900_000) as i64;
    }

    /// Logs in as the user with the right password.
    fn logs_in(&mut self, world: &mut World) {
        let identity = world.identity(self.stage.api, self.user);
        let password = world.password(self.stage.api, self.user);
        let login = world.login(self.stage.api, &identity.login, &password, Some(&identity));
        self.say(world, &login);
        self.client.identity = Some(identity);
        self.waits(0, 2);
    }

    /// Has a token that was issued where nobody looks.
    fn knows_token(&mut self, world: &World) {
        self.client.identity = Some(world.identity(self.stage.api, self.user));
    }

    fn wrong_password(&mut self, world: &mut World, user: u32) {
        let login = world.person(self.stage.api, user).email();
        let mut password = world.password(self.stage.api, user);
        password.truncate(password.len() - 1 - self.random.below(3));
        let wrong = world.login(self.stage.api, &login, &password, None);
        self.say(world, &wrong);
    }

    fn hash(&mut self) -> u64 {
        mix(self.random.next(), self.nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_scene_has_its_own_name() {
        let names: BTreeSet<&str> = scenes().map(|scene| scene.name).collect();
        assert_eq!(names.len(), scenes().count());
        assert!(scenes().all(|scene| scene.says.len() > 20));
    }
}
