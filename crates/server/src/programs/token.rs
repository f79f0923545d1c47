//! What a program proves itself with: `fct_NAME_SECRET`. Only a hash of it is kept; 160 bits by
//! chance need no slow one.

use facteur_store::{Clock, Error, Program, Store};

const PREFIX: &str = "fct_";
const SECRET_BYTES: usize = 20;

/// The token, to be shown once, and what is kept of it.
pub fn make(clock: &dyn Clock, name: &str) -> (String, [u8; 32]) {
    let token = format!("{PREFIX}{name}_{}", secret(clock));
    let hash = hash(&token);
    (token, hash)
}

/// Letters and digits by chance.
pub fn secret(clock: &dyn Clock) -> String {
    let mut random = [0; SECRET_BYTES];
    clock.random(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whose token it is.
pub fn owner(store: &Store, token: &str) -> Result<Option<Program>, Error> {
    let Some((name, _)) = token
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.rsplit_once('_'))
    else {
        return Ok(None);
    };
    let program = store.program(name)?;
    // Compared in constant time by the library.
    let given = blake3::Hash::from_bytes(hash(token));
    Ok(program.filter(|program| {
        let kept = program.token.map(blake3::Hash::from_bytes);
        kept.is_some_and(|kept| kept == given)
    }))
}

fn hash(token: &str) -> [u8; 32] {
    blake3::derive_key("facteur 2026 program token", token.as_bytes())
}
