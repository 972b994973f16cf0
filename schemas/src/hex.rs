//! Numbers in hex, without the formatting machinery: every record has some.

/// Writes the lowest digits of a number in lower-case hex, as many as there is room for.
pub(crate) fn write_hex(digits: &mut [u8], mut number: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_those_of_the_number() {
        for number in [0, 1, 0xabc_def0, u128::MAX, 1 << 100] {
            let mut digits = [0; 32];
            write_hex(&mut digits, number);
            assert_eq!(str::from_utf8(&digits).unwrap(), format!("{number:032x}"));
        }
    }
}
