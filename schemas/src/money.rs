//! Money: an integer of minor units and an ISO 4217 currency. No floating-point numbers are used.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount in the minor units of some currency (cents for EUR), never negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Amount(#[schemars(range(min = 0))] pub u64);

impl Amount {
    /// The largest price of one unit: 10^12 minor units.
    pub const PRICE_MAX: Self = Self(1_000_000_000_000);
    /// The largest total: 2^53 - 1, the largest that a JSON reader with 64-bit floats holds exactly.
    pub const TOTAL_MAX: Self = Self((1 << 53) - 1);

    /// The price of `quantity` units; `None` if it exceeds [`Self::TOTAL_MAX`].
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(u64::from(quantity)).map(Self).filter(|total| *total <= Self::TOTAL_MAX)
    }

    /// The sum; `None` if it exceeds [`Self::TOTAL_MAX`].
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|total| *total <= Self::TOTAL_MAX)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A currency of ISO 4217, by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The active alphabetic codes of ISO 4217 (list one), sorted.
const ISO_4217: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN \
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK \
    LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
    PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS \
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW \
    ZWG";

/// The text is not a currency code of ISO 4217.
#[derive(Debug, thiserror::Error)]
#[error("not a currency code of ISO 4217, such as EUR")]
pub struct UnknownCurrency;

impl Currency {
    /// The three-letter code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("codes are ASCII")
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        // A code starts at every fourth byte: the compiler has removed the line continuations and indentation.
        let known = ISO_4217.as_bytes().chunks(4).any(|entry| entry[..3] == bytes);
        if known { Ok(Self(bytes)) } else { Err(UnknownCurrency) }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = compact_str::CompactString::deserialize(deserializer)?;
        code.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let codes: Vec<_> = ISO_4217.split_whitespace().collect();
        schemars::json_schema!({ "type": "string", "enum": codes, "description": "ISO 4217 code" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_code_is_known_and_others_are_not() {
        for code in ISO_4217.split_whitespace() {
            assert_eq!(code.parse::<Currency>().unwrap().as_str(), code);
        }
        for wrong in ["", "eur", "EU", "EURO", "ABC", "XXX", "D A", " EU"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn totals_stop_at_the_largest_exact_integer() {
        assert_eq!(Amount::PRICE_MAX.times(9007), Some(Amount(9_007_000_000_000_000)));
        assert_eq!(Amount::PRICE_MAX.times(1_000_000), None);
        assert_eq!(Amount::TOTAL_MAX.plus(Amount(1)), None);
    }
}
