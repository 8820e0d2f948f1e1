#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tapwire_testkit::fuzz::openapi::run(data));
