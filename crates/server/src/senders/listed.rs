//! Lists of addresses that send junk, asked by DNS (RFC 5782): one more opinion, never a refusal.
//! Only with a resolver of one's own: the lists refuse, or lie to, the public ones.

use std::net::{IpAddr, Ipv4Addr};

use facteur_senders::dns::{Answer, Kind, Question};
use facteur_senders::spf::reverse_name;
use tokio::time::timeout;

use crate::dns::Dns;
use crate::limits::DNS_LIST_WAIT;

/// The first of the lists that names the address. One that does not answer in time names nobody.
pub async fn listed<'a>(dns: &dyn Dns, ip: IpAddr, lists: &'a [String]) -> Option<&'a str> {
    let name = reverse_name(ip);
    let name = name
        .strip_suffix(".in-addr.arpa")
        .or(name.strip_suffix(".ip6.arpa"))?;
    let questions: Vec<Question> = lists
        .iter()
        .map(|list| Question::new(Kind::A, &format!("{name}.{list}")))
        .collect();
    // Together: the slowest counts, not the sum.
    let mut asked: Vec<_> = questions
        .iter()
        .map(|question| Some(dns.ask(question)))
        .collect();
    let mut answers: Vec<Option<Answer>> = vec![None; asked.len()];
    let all = std::future::poll_fn(|task| {
        for (asked, answer) in asked.iter_mut().zip(&mut answers) {
            if let Some(asking) = asked
                && let std::task::Poll::Ready(found) = asking.as_mut().poll(task)
            {
                (*asked, *answer) = (None, Some(found));
            }
        }
        match asked.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    let _ = timeout(DNS_LIST_WAIT, all).await;
    let mut found = lists.iter().zip(&answers);
    found.find_map(|(list, answer)| match answer {
        Some(Answer::A(records)) if records.iter().any(is_warning) => Some(list.as_str()),
        _ => None,
    })
}

/// RFC 5782 §2.1: a value in 127.0.0.0/8. In 127.255.255.0/24 lists tell who asks that he may not.
fn is_warning(record: &Ipv4Addr) -> bool {
    matches!(record.octets(), [127, b, c, _] if (b, c) != (255, 255))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::TableDns;

    #[tokio::test]
    async fn what_a_list_says() {
        let dns = TableDns::default();
        for (name, record) in [
            ("1.2.0.192.one.test", "127.0.0.2"),
            ("2.2.0.192.one.test", "127.255.255.254"),
            ("3.2.0.192.one.test", "192.0.2.9"),
            ("4.2.0.192.two.test", "127.0.0.10"),
        ] {
            let answer = Answer::A(vec![record.parse().unwrap()]);
            dns.set_answer(Question::new(Kind::A, name), answer);
        }
        let lists = ["one.test".to_owned(), "two.test".to_owned()];
        for (ip, expected) in [
            ("192.0.2.1", Some("one.test")),
            ("192.0.2.2", None),
            ("192.0.2.3", None),
            ("192.0.2.4", Some("two.test")),
            ("192.0.2.5", None),
            ("2001:db8::1", None),
        ] {
            let found = listed(&dns, ip.parse().unwrap(), &lists).await;
            assert_eq!(found, expected, "{ip}");
        }
    }
}
