//! Every bound of this crate.

/// RFC 7208 §4.6.4: terms of SPF records that ask DNS, all told.
pub const SPF_LOOKUPS_MAX: u32 = 10;
/// RFC 7208 §4.6.4: answers with nothing in them.
pub const SPF_VOID_LOOKUPS_MAX: u32 = 2;
/// RFC 7208 §4.6.4: hosts of one MX answer.
pub const SPF_MX_MAX: usize = 10;
/// RFC 7208 §4.6.4: names of one PTR answer that are looked at.
pub const PTR_MAX: usize = 10;
/// Of one SPF record, its pieces joined.
pub const SPF_RECORD_BYTES_MAX: usize = 16 * 1024;
/// Of the explanation that a domain gives of its refusal.
pub const SPF_EXPLANATION_BYTES_MAX: usize = 512;
/// Questions about one message, all told.
pub const QUESTIONS_MAX: usize = 150;
/// RFC 1035 §2.3.4.
pub const NAME_BYTES_MAX: usize = 253;
pub const LABEL_BYTES_MAX: usize = 63;
/// Records of one answer that are kept.
pub const RECORDS_MAX: usize = 100;
/// Bytes of one TXT record that are kept.
pub const TXT_BYTES_MAX: usize = 16 * 1024;
/// Tags of one list.
pub const TAGS_MAX: usize = 64;
/// Of a message's header block, while it is checked or signed.
pub const HEADER_BYTES_MAX: usize = 128 * 1024;
/// Fields of that block.
pub const FIELDS_MAX: usize = 2000;
/// DKIM signatures of a message that are looked at.
pub const SIGNATURES_MAX: usize = 10;
/// RFC 8301 §3.2.
pub const RSA_BITS_MIN: usize = 1024;
/// What nobody publishes; it would cost time to check.
pub const RSA_BITS_MAX: usize = 8192;
/// RFC 6376 §3.5 `x`, RFC 6376 §6.1.1: clocks differ.
pub const CLOCK_SKEW_SECONDS: i64 = 300;
/// Addresses for reports of one DMARC record that are kept.
pub const REPORT_ADDRESSES_MAX: usize = 10;
/// RFC 9989 §4.10: labels of a name from which the walk goes on up.
pub const WALK_LABELS_MAX: usize = 7;
/// RFC 8617 §4.2.1.
pub const ARC_SETS_MAX: usize = 50;
/// Of one header field, while it is decided whether it stays.
pub const FIELD_HELD_BYTES_MAX: usize = 16 * 1024;
/// Of a name or domain that is compared with ours by its looks.
pub const LOOKALIKE_CHARS_MAX: usize = 256;
/// RFC 5321 §4.5.3.1.1, of an envelope sender that is rewritten.
pub const SRS_LOCAL_BYTES_MAX: usize = 64;
/// How long a report may come to such an address.
pub const SRS_DAYS_MAX: i64 = 30;
/// Of a report that others wrote, unpacked.
pub const REPORT_BYTES_MAX: usize = 8 << 20;
/// Packed reports in packed reports.
pub const REPORT_PACKED_DEEP_MAX: usize = 2;
/// How many times its size what is packed may become, once it is [`REPORT_RATIO_FROM_BYTES`].
pub const REPORT_RATIO_MAX: usize = 200;
pub const REPORT_RATIO_FROM_BYTES: usize = 1 << 20;
/// Elements within elements of a report.
pub const REPORT_DEPTH_MAX: usize = 16;
/// Of one text in a report; what is longer is cut.
pub const REPORT_TEXT_BYTES_MAX: usize = 512;
/// Rows of an aggregate report that are kept.
pub const REPORT_ROWS_MAX: usize = 10_000;
/// Results, reasons and errors of one row or report, each.
pub const REPORT_LIST_MAX: usize = 16;
/// Letters or connections of one row: what is above is taken for this.
pub const REPORT_COUNT_MAX: u64 = 1_000_000_000;
/// Policies of one TLS report.
pub const TLS_POLICIES_MAX: usize = 100;
/// Kinds of failure of one such policy.
pub const TLS_FAILURES_MAX: usize = 500;
