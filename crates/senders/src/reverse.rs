//! The name of an address, RFC 8601 §3: does the address have a name that leads back to it?

use std::fmt;
use std::net::IpAddr;

use crate::dns::{Answers, Nothing, Wanted};
use crate::spf::{reverse_name, validated_names};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reverse {
    /// The first name that leads back.
    Pass(String),
    Fail,
    TempError,
    /// The address has no name.
    #[default]
    PermError,
}

impl fmt::Display for Reverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reverse::Pass(_) => "pass",
            Reverse::Fail => "fail",
            Reverse::TempError => "temperror",
            Reverse::PermError => "permerror",
        })
    }
}

pub fn check(ip: IpAddr, answers: &mut Answers) -> Result<Reverse, Wanted> {
    match answers.ptr(&reverse_name(ip))? {
        Ok(_) => {}
        Err(Nothing::Temporary) => return Ok(Reverse::TempError),
        Err(_) => return Ok(Reverse::PermError),
    }
    let name = validated_names(ip, answers)?.into_iter().next();
    Ok(name.map_or(Reverse::Fail, Reverse::Pass))
}
