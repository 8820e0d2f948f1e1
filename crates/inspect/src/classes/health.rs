//! Health and its trade: who treats, who is treated, what for, and messages that carry it.

use super::check::{luhn, weighted};
use super::form::{Form, Forms, Value, is_like};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const NPI: DataClass = DataClass {
    name: "us-npi",
    title: "National provider identifier of the United States",
    summary: "Ten digits from 1 or 2 on, with Luhn's check digit over 80840 in front of them",
    kind: ClassKind::Health,
    region: Some("us"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::Low,
    keys: &[
        "npi",
        "npi number",
        "national provider",
        "provider npi",
        "provider identifier",
        "national provider identifier",
    ],
    example: ("npi", "1245319599"),
    twin: "1245319598",
    gate: Gate::new(Forms::NUMBER, 10, 12).first(b"12"),
    check: npi,
};

pub(super) const DEA: DataClass = DataClass {
    name: "us-dea",
    title: "Prescriber number of the DEA",
    summary: "Two letters and seven digits, the last of which is a check digit",
    kind: ClassKind::Health,
    region: Some("us"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::Medium,
    keys: &["dea", "dea number", "dea no", "dea registration", "prescriber dea"],
    example: ("deaNumber", "BJ6125341"),
    twin: "BJ6125342",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 9, 9),
    check: dea,
};

pub(super) const MBI: DataClass = DataClass {
    name: "us-mbi",
    title: "Medicare beneficiary identifier",
    summary: "Eleven places, each with the kind of letter or digit that the format gives it; letters that look like digits are left out",
    kind: ClassKind::Health,
    region: Some("us"),
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["mbi", "medicare beneficiary", "medicare number", "medicare id", "beneficiary id", "medicare"],
    example: ("mbi", "1EG4-TE5-MK73"),
    twin: "1EG4-TES-MK73",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Token]), 11, 13).first(b"123456789"),
    check: mbi,
};

pub(super) const MRN: DataClass = DataClass {
    name: "mrn",
    title: "Medical record number",
    summary: "A code with digits under a name that says so; every hospital has its own",
    kind: ClassKind::Health,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "mrn",
        "medical record",
        "medical record number",
        "medical record no",
        "patient mrn",
        "health record number",
        "patient number",
        "patient id",
        "patient identifier",
    ],
    example: ("mrn", "MRN-00482913"),
    twin: "none",
    gate: Gate::new(Forms::CODE, 5, 20),
    check: mrn,
};

pub(super) const ICD_10: DataClass = DataClass {
    name: "icd-10",
    title: "Diagnosis (ICD-10)",
    summary: "A letter, two digits and up to four places behind a point, under a name that says so",
    kind: ClassKind::Health,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "icd",
        "icd10",
        "icd code",
        "icd 10",
        "icd10code",
        "diagnosis",
        "diagnosis code",
        "diagnosi",
        "primary diagnosis",
        "dx",
        "dx code",
        "condition code",
    ],
    example: ("diagnosisCode", "E11.65"),
    twin: "11.65",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Token]), 3, 8),
    check: icd,
};

pub(super) const NDC: DataClass = DataClass {
    name: "us-ndc",
    title: "National drug code of the United States",
    summary: "Ten or eleven digits in three groups, under a name that says so",
    kind: ClassKind::Health,
    region: Some("us"),
    strength: Strength::Named,
    sensitivity: Sensitivity::Low,
    keys: &[
        "ndc",
        "ndc code",
        "ndc11",
        "ndc10",
        "drug code",
        "national drug code",
        "medication code",
        "drug ndc",
    ],
    example: ("ndc", "0777-3105-02"),
    twin: "777-3105-02",
    gate: Gate::new(Forms::NUMBER, 11, 13),
    check: ndc,
};

pub(super) const FHIR: DataClass = DataClass {
    name: "fhir",
    title: "FHIR resource",
    summary: "A document that names itself a resource about a patient's care (HL7 FHIR)",
    kind: ClassKind::Health,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &["resource type"],
    example: ("resourceType", "MedicationRequest"),
    twin: "ValueSet",
    gate: Gate::new(Forms::of(&[Form::Word]), 4, 32),
    check: fhir,
};

pub(super) const HL7: DataClass = DataClass {
    name: "hl7",
    title: "HL7 message",
    summary: "A message of HL7 version 2: its header segment with the delimiters",
    kind: ClassKind::Health,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["hl7", "hl7 message"],
    example: ("message", "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260101120000||ORU^R01|17|P|2.5"),
    twin: "MSH-LAB-NORTH-EHR-SOUTH-20260101120000-ORU^R01",
    gate: Gate::new(Forms::ANY, 9, 65).first(b"M"),
    check: |value| is_hl7(value.text).then_some(Evidence::Sure),
};

/// Resources about people, not about the machine: HL7 FHIR R5, in the alphabet's order.
const RESOURCES: &[&str] = &[
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "Composition",
    "Condition",
    "Consent",
    "Coverage",
    "DetectedIssue",
    "DeviceRequest",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "ImagingStudy",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "MolecularSequence",
    "NutritionOrder",
    "Observation",
    "Patient",
    "Person",
    "Procedure",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RiskAssessment",
    "ServiceRequest",
    "Specimen",
    "VisionPrescription",
];

fn npi(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 10] = value.exactly()?;
    let mut whole = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    whole.iter_mut().skip(5).zip(digits).for_each(|(to, from)| *to = from);
    (luhn(&whole)
        && !super::check::all_same(digits.get(..9)?)
        && value.is_plain_or(&["9999 999 999", "9999-999-999", "999-999-9999", "999 999 9999"]))
    .then_some(Evidence::Checked)
}

fn dea(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 7] = value.exactly()?;
    let sum = weighted(&digits, &[1, 2, 1, 2, 1, 2]) % 10;
    let registrant =
        value.text.first().is_some_and(|byte| b"ABCDEFGHJKLMPRSTUX".contains(&byte.to_ascii_uppercase()));
    (registrant && value.is_like("a*9999999") && digits.last().map(|last| u32::from(*last)) == Some(sum))
        .then_some(Evidence::Checked)
}

/// CMS, "Understanding the new Medicare Beneficiary Identifier format".
fn mbi(value: &Value<'_>) -> Option<Evidence> {
    let mut plain = [0; 11];
    let grouped = value.text.len() == 13;
    if grouped && !is_like(value.text, "9a**-a**-aa99") {
        return None;
    }
    let mut letters = value.text.iter().filter(|byte| **byte != b'-');
    if letters.clone().count() != plain.len() {
        return None;
    }
    plain.iter_mut().zip(&mut letters).for_each(|(to, from)| *to = *from);
    let upper = !plain.iter().any(u8::is_ascii_lowercase) || grouped;
    plain.make_ascii_uppercase();
    let clear = !plain.iter().any(|byte| b"SLOIBZ".contains(byte));
    let fits = upper && clear && is_like(&plain, "9A*9A*9AA99");
    fits.then_some(if grouped { Evidence::Sure } else { Evidence::Layout })
}

fn mrn(value: &Value<'_>) -> Option<Evidence> {
    let digits = value.text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let code = value.text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' '));
    let uuid_like = value.text.iter().filter(|byte| **byte == b'-').count() > 2;
    (digits >= 4 && code && !uuid_like).then_some(Evidence::Shape)
}

fn icd(value: &Value<'_>) -> Option<Evidence> {
    let (category, rest) = value.text.split_at_checked(3)?;
    let [chapter, tens, _] = *category else { return None };
    let is_category =
        chapter.is_ascii_uppercase() && chapter != b'U' && is_like(category, "A9*") && tens.is_ascii_digit();
    let behind = rest.strip_prefix(b".").unwrap_or(rest);
    let fits = is_category
        && behind.len() <= 4
        && (rest.is_empty() || !behind.is_empty())
        && behind.iter().all(u8::is_ascii_alphanumeric);
    fits.then_some(Evidence::Shape)
}

fn ndc(value: &Value<'_>) -> Option<Evidence> {
    const GROUPS: &[&str] = &["9999-9999-99", "99999-999-99", "99999-9999-9", "99999-9999-99"];
    let grouped = GROUPS.iter().any(|groups| value.is_like(groups));
    (grouped || (value.is_plain() && value.digits().len() == 11)).then_some(Evidence::Shape)
}

fn fhir(value: &Value<'_>) -> Option<Evidence> {
    RESOURCES.binary_search_by(|known| known.as_bytes().cmp(value.text)).ok().map(|_| Evidence::Shape)
}

/// Version 2's header, whose delimiters are those that everybody uses.
pub(super) fn is_hl7(text: &[u8]) -> bool {
    text.starts_with(b"MSH|^~\\&|")
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn resources_are_sorted() {
        assert!(RESOURCES.is_sorted());
    }

    #[test]
    fn providers_are_checked() {
        assert_eq!(found("provider.npi", "1245319599"), ["us-npi"]);
        assert_eq!(found("createdAt", "1245319599"), [""; 0]);
        assert_eq!(found("dea", "BJ6125341"), ["us-dea"]);
        assert_eq!(found("code", "BJ6125341"), [""; 0]);
    }

    #[test]
    fn beneficiaries_count_by_their_format() {
        assert_eq!(found("id", "1EG4TE5MK73"), ["us-mbi"]);
        assert_eq!(found("sku", "1EG4TE5MK73"), [""; 0]);
        assert_eq!(found("mbi", "1SG4TE5MK73"), [""; 0]);
    }

    #[test]
    fn diagnoses_and_drugs_need_a_name() {
        assert_eq!(found("diagnosis", "J45.909"), ["icd-10"]);
        assert_eq!(found("version", "B12.1"), [""; 0]);
        assert_eq!(found("ndc", "50580-449-05"), ["us-ndc"]);
        assert_eq!(found("date", "2026-0101-02"), [""; 0]);
    }

    #[test]
    fn messages_name_themselves() {
        assert_eq!(found("resourceType", "Patient"), ["fhir"]);
        assert_eq!(found("resourceType", "Bundle"), [""; 0]);
        assert_eq!(
            found("data", "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||12345^^^H^MR||DOE^JANE"),
            ["hl7"]
        );
    }
}
