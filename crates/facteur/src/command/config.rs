//! `facteur config …`

use serde_json::{Value, json};

use crate::arguments::{Common, Config};
use crate::output::{Outcome, Output, table};
use crate::place;
use crate::settings::{self, SETTINGS, Settings};
use crate::texts::{self, t};

pub fn run(common: &Common, command: &Config) -> Outcome {
    match command {
        Config::Show => {
            let settings = place::settings(common)?;
            Ok(show(&settings))
        }
        Config::Manual => {
            let page = settings::manual_page();
            Ok(Output::new(json!({ "page": page }), page))
        }
    }
}

fn show(settings: &Settings) -> Output {
    let mut object = serde_json::Map::new();
    let mut rows = Vec::new();
    for setting in &SETTINGS {
        let Some(value) = settings.get(setting.name) else {
            continue;
        };
        let given = settings.is_given(setting.name);
        let origin = if given {
            texts::ORIGIN_FILE
        } else {
            texts::ORIGIN_DEFAULT
        };
        rows.push(vec![
            setting.name.to_owned(),
            settings::show(value),
            t(origin).to_owned(),
        ]);
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        let entry = json!({ "value": value, "default": !given });
        object.insert(setting.name.to_owned(), entry);
    }
    let head = [
        t(texts::COLUMN_SETTING),
        t(texts::COLUMN_VALUE),
        t(texts::COLUMN_ORIGIN),
    ];
    Output::new(Value::Object(object), table(&head, &rows))
}
