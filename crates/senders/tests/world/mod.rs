//! A DNS that is a table.

#![allow(dead_code)]

use std::collections::HashMap;

use facteur_senders::dns::{Answer, Answers, Kind, Question, Srv, Wanted};
use serde_json::Value;

/// Names in lower case; each with its records in order, as the suite of SPF writes them.
#[derive(Default)]
pub struct Zone(HashMap<String, Vec<(String, Value)>>);

impl Zone {
    pub fn of_suite(data: &Value) -> Self {
        let mut zone = Zone::default();
        for (name, records) in data.as_object().unwrap() {
            let mut list = Vec::new();
            for record in records.as_array().unwrap() {
                match record {
                    Value::String(text) => list.push((text.clone(), Value::Null)),
                    other => {
                        for (kind, value) in other.as_object().unwrap() {
                            list.push((kind.clone(), value.clone()));
                        }
                    }
                }
            }
            // What was written for type 99 stands for TXT too, unless there is TXT.
            if !list.iter().any(|(kind, _)| kind == "TXT") {
                let copies: Vec<_> = list
                    .iter()
                    .filter(|(kind, _)| kind == "SPF")
                    .cloned()
                    .collect();
                list.extend(
                    copies
                        .into_iter()
                        .map(|(_, value)| ("TXT".to_owned(), value)),
                );
            }
            zone.0
                .insert(name.trim_end_matches('.').to_ascii_lowercase(), list);
        }
        zone
    }

    pub fn txt(&mut self, name: &str, text: &str) {
        let list = self.0.entry(name.to_owned()).or_default();
        list.push(("TXT".to_owned(), Value::String(text.to_owned())));
    }

    pub fn address(&mut self, name: &str, ip: &str) {
        let list = self.0.entry(name.to_owned()).or_default();
        list.push(("A".to_owned(), Value::String(ip.to_owned())));
    }

    pub fn add(&mut self, name: &str, kind: &str, value: Value) {
        let list = self.0.entry(name.to_owned()).or_default();
        list.push((kind.to_owned(), value));
    }

    pub fn silent(&mut self, name: &str) {
        let list = self.0.entry(name.to_owned()).or_default();
        list.push(("TIMEOUT".to_owned(), Value::Null));
    }

    /// Calls until nothing more is asked.
    pub fn run<T>(
        &self,
        answers: &mut Answers,
        mut evaluate: impl FnMut(&mut Answers) -> Result<T, Wanted>,
    ) -> T {
        for _ in 0..1000 {
            if let Ok(done) = evaluate(answers) {
                return done;
            }
            for question in answers.take_wanted() {
                let answer = self.answer(&question, 0);
                answers.put(question, answer);
            }
        }
        panic!("it asks for ever");
    }

    fn answer(&self, question: &Question, depth: u32) -> Answer {
        // RFC 1034 §3.6.2: a loop of CNAMEs is an error.
        if depth > 8 {
            return Answer::Temporary;
        }
        let Some(list) = self.0.get(&question.name) else {
            return Answer::NoSuchName;
        };
        let kind = match question.kind {
            Kind::Txt => "TXT",
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Ptr => "PTR",
            Kind::Srv => "SRV",
        };
        // TIMEOUT stands for all types that have no record.
        let (mut values, mut silent) = (Vec::new(), false);
        for (have, value) in list {
            match have.as_str() {
                "TIMEOUT" => silent = true,
                "CNAME" => {
                    let target = Question::new(question.kind, value.as_str().unwrap());
                    return self.answer(&target, depth + 1);
                }
                have if have == kind && *value != "NONE" => values.push(value),
                _ => {}
            }
        }
        if values.is_empty() && silent {
            return Answer::Temporary;
        }
        if values.is_empty() {
            return Answer::NoRecords;
        }
        let text = |value: &Value| value.as_str().unwrap().trim_end_matches('.').to_owned();
        match question.kind {
            Kind::Txt => Answer::Txt(values.into_iter().map(joined).collect()),
            Kind::A => Answer::A(
                values
                    .into_iter()
                    .map(|v| text(v).parse().unwrap())
                    .collect(),
            ),
            Kind::Aaaa => Answer::Aaaa(
                values
                    .into_iter()
                    .map(|v| text(v).parse().unwrap())
                    .collect(),
            ),
            Kind::Ptr => Answer::Ptr(values.into_iter().map(text).collect()),
            Kind::Srv => Answer::Srv(values.into_iter().map(service).collect()),
            Kind::Mx => Answer::Mx(
                values
                    .into_iter()
                    .map(|value| (value[0].as_str().unwrap().parse().unwrap(), text(&value[1])))
                    .collect(),
            ),
        }
    }
}

fn service(value: &Value) -> Srv {
    let words: Vec<&str> = value.as_str().unwrap().split(' ').collect();
    let number = |place: usize| words[place].parse().unwrap();
    Srv {
        priority: number(0),
        weight: number(1),
        port: number(2),
        target: words[3].trim_end_matches('.').to_owned(),
    }
}

/// The strings of one record; a character is a byte.
fn joined(value: &Value) -> Vec<u8> {
    let bytes = |text: &Value| -> Vec<u8> {
        let chars = text.as_str().unwrap().chars();
        chars.map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    match value {
        Value::Array(list) => list.iter().flat_map(bytes).collect(),
        one => bytes(one),
    }
}
