//! Check digits that several numbers share. Digits are given as numbers 0 to 9.

/// Luhn's sum (ISO/IEC 7812-1, annex B): every second digit from the right but the last is doubled.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of digits by weights; digits without a weight do not count.
pub(super) fn weighted(digits: &[u8], weights: &[u8]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * u32::from(*weight)).sum()
}

/// The value of decimal digits, at most 19 of them.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}

/// The remainder by 97 of a text of ISO 7064 MOD 97-10: letters count 10 to 35, other bytes not at all.
pub(super) fn mod_97(text: impl Iterator<Item = u8>) -> u32 {
    text.fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        b'a'..=b'z' => (rest * 100 + u32::from(byte - b'a') + 10) % 97,
        _ => rest,
    })
}

/// The check digit of ISO 7064 MOD 11,10.
pub(super) fn mod_11_10(digits: &[u8]) -> u8 {
    let product = digits.iter().fold(10_u8, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

/// Verhoeff's check (1969): permutations of the dihedral group of order ten, which finds every swap of neighbours.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permute = |digit: u8| PERMUTED.get(usize::from(digit)).copied().unwrap_or_default();
    let mut check = 0;
    for (at, digit) in digits.iter().rev().enumerate() {
        let permuted = (0..at % 8).fold(*digit, |digit, _| permute(digit));
        check = dihedral(check, permuted);
    }
    check == 0
}

/// The product in the dihedral group of order ten: 0 to 4 turn, 5 to 9 mirror.
const fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 10 - b) % 5,
        (false, false) => (a + 10 - b) % 5,
    }
}

/// Whether all digits are the same: such numbers pass many checks, and are what people type into forms.
pub(super) fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// Whether digits are a day of a month, both with two digits.
pub(super) fn day_and_month(day: &[u8], month: &[u8]) -> bool {
    let days = match value(month) {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return false,
    };
    (1..=days).contains(&value(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn luhn_and_verhoeff_know_their_examples() {
        // ISO/IEC 7812-1's example, and Verhoeff's own.
        assert!(luhn(&digits("79927398713")));
        assert!(!luhn(&digits("79927398714")));
        assert!(verhoeff(&digits("2363")));
        assert!(!verhoeff(&digits("2364")));
    }

    #[test]
    fn verhoeff_finds_every_wrong_digit_and_every_swap() {
        let good = digits("23631234567");
        let check = (0..10).find(|check| verhoeff(&[&good[..], &[*check]].concat())).expect("a check digit");
        let good = [good, vec![check]].concat();
        for at in 0..good.len() {
            for wrong in (0..10).filter(|wrong| *wrong != good[at]) {
                let mut bad = good.clone();
                bad[at] = wrong;
                assert!(!verhoeff(&bad));
            }
            let mut swapped = good.clone();
            if at > 0 && swapped[at] != swapped[at - 1] {
                swapped.swap(at, at - 1);
                assert!(!verhoeff(&swapped));
            }
        }
    }

    #[test]
    fn iso_7064_knows_its_examples() {
        assert_eq!(mod_97("3214282912345698765432161182".bytes()), 1);
        assert_eq!(mod_11_10(&digits("0794")), 5);
    }

    #[test]
    fn months_have_their_days() {
        assert!(day_and_month(&[2, 9], &[0, 2]));
        assert!(!day_and_month(&[3, 1], &[0, 4]));
        assert!(!day_and_month(&[0, 0], &[0, 1]));
        assert!(!day_and_month(&[0, 1], &[1, 3]));
    }
}
