"""Made-up values of each data class, and values that only look like one. Check digits are those of python-stdnum where it has the
number, so that the product is not judged by its own arithmetic; the others are written here from their specifications."""

import base64
import importlib
import json
import random
import uuid

DIGITS, UPPER, LOWER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
FIRST = "Mara Jonas Wei Ines Tomasz Aylin Noor Petra Luca Signe Ravi Oksana Diego Freya Kofi Hana Emil Zoe Bram Leila".split()
LAST = "Okafor Lindqvist Moreau Tanaka Brandt Castellano Novak Iversen Haddad Pereira Kowalczyk Whitfield Achterberg Singh Marchetti".split()
STREETS = ["Harbour Street", "Rue des Lilas", "Lindenallee", "Mill Lane", "Via Garibaldi", "Kungsgatan", "Calle Mayor", "Ocean Drive"]
TOWNS = "Leeds Lyon Bremen Porto Turin Malmo Toledo Austin Cork Utrecht".split()


class Values:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def digits(self, n):
        return "".join(self.r.choice(DIGITS) for _ in range(n))

    def text(self, n, alphabet=DIGITS + UPPER + LOWER):
        return "".join(self.r.choice(alphabet) for _ in range(n))

    def like(self, pattern):
        sets = {"9": DIGITS, "A": UPPER, "a": LOWER, "*": DIGITS + UPPER, "h": "0123456789abcdef"}
        return "".join(self.r.choice(sets[c]) if c in sets else c for c in pattern)

    def valid(self, module, make, tries=200000):
        """The first value that python-stdnum takes."""
        check = importlib.import_module("stdnum." + module).is_valid
        for _ in range(tries):
            value = make()
            if check(value):
                return value
        raise SystemExit("no value for " + module)

    def luhn(self, start, length):
        return self.valid("luhn", lambda: start + self.digits(length - len(start)))

    def date(self, first=1940, last=2005):
        return self.r.randint(first, last), self.r.randint(1, 12), self.r.randint(1, 28)

    def yymmdd(self):
        year, month, day = self.date(1950, 1999)
        return f"{year % 100:02}{month:02}{day:02}"

    def ddmmyy(self):
        year, month, day = self.date(1950, 1999)
        return f"{day:02}{month:02}{year % 100:02}"

    # Classes, by the product's names.

    def card(self):
        start, length = self.r.choice([("4", 16), ("52", 16), ("2304", 16), ("37", 15), ("6011", 16), ("3569", 16), ("36", 14)])
        return self.luhn(start + self.digits(2), length)

    def card_grouped(self):
        number = self.luhn(self.r.choice(["4", "53"]) + self.digits(3), 16)
        mark = self.r.choice(" -")
        return mark.join(number[i:i + 4] for i in range(0, 16, 4))

    def cvv(self):
        return self.digits(3)

    def card_pin(self):
        return self.digits(4)

    def iban(self):
        country, length = self.r.choice([("DE", 22), ("GB", 22), ("FR", 27), ("NL", 18), ("ES", 24), ("AT", 20)])
        bank = self.text(4, UPPER) if country in ("GB", "NL") else self.digits(4)
        body = bank + self.digits(length - 8)
        numbers = "".join(str(int(c, 36)) for c in body + country + "00")
        value = f"{country}{98 - int(numbers) % 97:02}{body}"
        from stdnum import iban
        assert iban.is_valid(value, check_country=False), value
        return value

    def bic(self):
        country = self.r.choice("DE FR NL GB IT ES US CH AT SE".split())
        return self.text(4, UPPER) + country + self.text(2, UPPER + "23456789") + self.r.choice(["", "XXX", "500"])

    def us_aba(self):
        return self.valid("us.rtn", lambda: self.r.choice(["01", "02", "03", "07", "11", "12", "21", "31", "32"]) + self.digits(7))

    def us_ssn(self):
        return self.valid("us.ssn", lambda: self.like("999-99-9999"))

    def us_itin(self):
        return self.valid("us.itin", lambda: "9" + self.like("99-99-9999"))

    def us_ein(self):
        return self.valid("us.ein", lambda: self.like("99-9999999"))

    def uk_nhs(self):
        return self.valid("gb.nhs", lambda: self.r.choice("49") + self.digits(9))

    def uk_nino(self):
        return self.r.choice(["AB", "CE", "JM", "PA", "SK", "WL"]) + self.digits(6) + self.r.choice("ABCD")

    def ca_sin(self):
        return self.valid("ca.sin", lambda: self.r.choice("1234567") + self.digits(8))

    def us_npi(self):
        return self.luhn("80840" + self.r.choice("12"), 15)[5:]

    def us_dea(self):
        d = [int(c) for c in self.digits(6)]
        return self.r.choice("ABFM") + self.text(1, UPPER) + "".join(map(str, d)) + str((d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10)

    def us_mbi(self):
        clear = "ACDEFGHJKMNPQRTUVWXY"
        pick = {"C": "123456789", "N": DIGITS, "L": clear, "X": DIGITS + clear}
        return "".join(self.r.choice(pick[c]) for c in "CLXNLXNLLNN")

    def mrn(self):
        return self.r.choice(["MRN", "H", ""]) + self.digits(8)

    def icd_10(self):
        return self.r.choice(["E11.9", "I10", "J45.909", "F32.1", "C50.911", "M54.5", "Z79.4", "K21.0"])

    def us_ndc(self):
        return self.like(self.r.choice(["9999-9999-99", "99999-999-99", "99999-9999-99"]))

    def fhir(self):
        return self.r.choice(["Patient", "Observation", "Encounter", "Condition", "MedicationRequest"])

    def vin(self):
        alphabet = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
        worth = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9]))
        body = [self.r.choice(alphabet) for _ in range(17)]
        weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
        rest = sum(worth.get(c, int(c) if c.isdigit() else 0) * w for c, w in zip(body, weights)) % 11
        body[8] = "X" if rest == 10 else str(rest)
        return "".join(body)

    def imei(self):
        return self.luhn("35" + self.digits(3), 15)

    def mac_address(self):
        return self.like("02:hh:hh:hh:hh:hh")

    def ip_address(self):
        return self.r.choice([f"{self.r.choice([10, 81, 172, 203])}.{self.r.randint(16, 250)}.{self.r.randint(0, 250)}.{self.r.randint(1, 250)}", self.like("2001:db8:hhhh:hhhh::hhhh")])

    def in_aadhaar(self):
        return self.valid("in_.aadhaar", lambda: self.r.choice("23456789") + self.digits(11))

    def in_pan(self):
        return self.valid("in_.pan", lambda: self.text(3, UPPER) + self.r.choice("PCHFT") + self.text(1, UPPER) + self.digits(4) + self.text(1, UPPER))

    def in_gstin(self):
        return self.valid("in_.gstin", lambda: self.r.choice(["27", "07", "29", "33"]) + self.text(3, UPPER) + "P" + self.text(1, UPPER) + self.digits(4) + self.text(1, UPPER) + "1Z" + self.text(1, DIGITS + UPPER))

    def au_tfn(self):
        return self.valid("au.tfn", lambda: self.digits(9))

    def au_abn(self):
        return self.valid("au.abn", lambda: self.r.choice("123456789") + self.digits(10))

    def au_medicare(self):
        d = [self.r.randint(2, 6)] + [self.r.randint(0, 9) for _ in range(7)]
        return "".join(map(str, d)) + str(sum(a * b for a, b in zip(d, [1, 3, 7, 9, 1, 3, 7, 9])) % 10) + self.r.choice("123")

    def br_cpf(self):
        number = self.valid("br.cpf", lambda: self.digits(11))
        return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"

    def br_cnpj(self):
        return self.valid("br.cnpj", lambda: self.digits(8) + "0001" + self.digits(2))

    def es_nif(self):
        return self.valid("es.dni", lambda: self.digits(8) + self.text(1, UPPER))

    def it_codice_fiscale(self):
        return self.valid("it.codicefiscale", lambda: self.text(6, "BCDFGLMNPRSTVZ") + f"{self.r.randint(40, 99)}{self.r.choice('ABCDEHLMPRST')}{self.r.randint(1, 28):02}H501" + self.text(1, UPPER))

    def fr_nir(self):
        return self.valid("fr.nir", lambda: self.r.choice("12") + f"{self.r.randint(40, 99)}{self.r.randint(1, 12):02}{self.r.randint(10, 89)}" + self.digits(8))

    def de_steuer_id(self):
        return self.valid("de.idnr", lambda: self.r.choice("123456789") + self.digits(10))

    def nl_bsn(self):
        return self.valid("nl.bsn", lambda: self.r.choice("123456789") + self.digits(8))

    def pl_pesel(self):
        return self.valid("pl.pesel", lambda: self.yymmdd() + self.digits(5))

    def se_personnummer(self):
        return self.valid("se.personnummer", lambda: self.yymmdd() + "-" + self.digits(4))

    def fi_hetu(self):
        return self.valid("fi.hetu", lambda: self.ddmmyy() + "-" + self.r.choice("12345678") + self.digits(2) + self.text(1, DIGITS + UPPER))

    def no_fodselsnummer(self):
        return self.valid("no.fodselsnummer", lambda: self.ddmmyy() + self.r.choice("1234") + self.digits(4))

    def dk_cpr(self):
        return self.ddmmyy() + "-" + self.r.choice("0123") + self.digits(3)

    def za_id(self):
        return self.valid("za.idnr", lambda: self.yymmdd() + self.digits(4) + "08" + self.digits(1))

    def kr_rrn(self):
        return self.valid("kr.rrn", lambda: self.yymmdd() + "-" + self.r.choice("12") + self.digits(6))

    def tr_kimlik(self):
        return self.valid("tr.tckimlik", lambda: self.r.choice("123456789") + self.digits(10))

    def sg_nric(self):
        first = self.r.choice("STFG")
        d = self.digits(7)
        rest = (sum(int(a) * b for a, b in zip(d, [2, 7, 6, 5, 4, 3, 2])) + (4 if first in "TG" else 0)) % 11
        return first + d + ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[rest]

    def email(self):
        return f"{self.r.choice(FIRST)}.{self.r.choice(LAST)}{self.r.choice(['', '7', '_x'])}@{self.r.choice(['example.com', 'mail.example.org', 'corp.example.co.uk'])}".lower()

    def phone(self):
        """Digits as `#`, so that those of the country stay."""
        layout = self.r.choice(["+49 30 #######", "+1415555####", "+44 20 7946 0###", "+33-1-##-##-##-##", "+91 98### #####"])
        return "".join(self.r.choice(DIGITS) if c == "#" else c for c in layout)

    def phone_local(self):
        layout = self.r.choice(["(415) 555-01##", "030 #######", "212-555-01##", "07700 900###", "415555####"])
        return "".join(self.r.choice(DIGITS) if c == "#" else c for c in layout)

    def person_name(self):
        return f"{self.r.choice(FIRST)} {self.r.choice(LAST)}"

    def first_name(self):
        return self.r.choice(FIRST)

    def birth_date(self):
        year, month, day = self.date()
        return self.r.choice([f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{month:02}/{day:02}/{year}"])

    def address(self):
        street = f"{self.r.choice(STREETS)} {self.r.randint(1, 250)}"
        return self.r.choice([street, f"{self.r.randint(1, 9999)} {self.r.choice(STREETS)}", f"{street}, {self.r.randint(10000, 99999)} {self.r.choice(TOWNS)}"])

    def geo(self):
        return f"{self.r.uniform(-89, 89):.6f}"

    def geo_pair(self):
        return f"{self.r.uniform(-89, 89):.5f},{self.r.uniform(-179, 179):.5f}"

    def jwt(self):
        part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': self.digits(6), 'exp': 1900000000})}.{self.text(43)}"

    def basic_credentials(self):
        return "Basic " + base64.b64encode(f"{self.r.choice(FIRST).lower()}:{self.text(10)}".encode()).decode()

    def password(self):
        return self.r.choice(["Harbour", "sunset", "Tr0ut", "maple"]) + self.r.choice("-_!#") + self.digits(3)

    def api_key(self):
        return self.text(32)

    def aws_access_key(self):
        return "AKIA" + self.text(16, UPPER + "234567")

    def github_token(self):
        import zlib
        alphabet = DIGITS + UPPER + LOWER
        body = self.text(30)
        crc, end = zlib.crc32(body.encode()), ""
        for _ in range(6):
            crc, rest = divmod(crc, 62)
            end = alphabet[rest] + end
        return "ghp_" + body + end

    def stripe_key(self):
        return "sk_live_" + self.text(24)

    def slack_token(self):
        return f"xoxb-{self.digits(11)}-{self.digits(11)}-{self.text(24)}"

    def private_key(self):
        return "-----BEGIN PRIVATE KEY-----\n" + self.text(64)

    def hl7(self):
        return "MSH|^~\\&|LAB|A|EHR|B|20260101||ORU^R01|" + self.digits(4) + "|P|2.5"

    # What only looks like one.

    def order(self):
        return self.r.choice([self.digits(10), self.digits(16), self.like("ORD-99999999"), self.like("999-9999999-9999999")])

    def digits9(self):
        return self.r.choice("123456789") + self.digits(8)

    def digits10(self):
        return self.r.choice("123456789") + self.digits(9)

    def digits11(self):
        return self.r.choice("123456789") + self.digits(10)

    def digits13(self):
        return self.r.choice("123456789") + self.digits(12)

    def digits16(self):
        return self.r.choice("3456") + self.digits(15)

    def timestamp(self):
        return str(self.r.choice([1, 1000, 1000000]) * self.r.randint(1500000000, 1900000000))

    def moment(self):
        year, month, day = self.date(2020, 2026)
        return f"{year}-{month:02}-{day:02}T{self.r.randint(0, 23):02}:{self.r.randint(0, 59):02}:00Z"

    def sha(self):
        return self.like("h" * self.r.choice([32, 40, 64]))

    def uuid(self):
        return str(uuid.UUID(int=self.r.getrandbits(128), version=4))

    def tracking(self):
        return self.r.choice(["1Z" + self.text(16, DIGITS + UPPER), self.digits(20), "RR" + self.digits(9) + "DE", self.digits(12)])

    def phone_like(self):
        return self.like(self.r.choice(["999-999-9999", "9999-9999-99", "99-9999-9999"]))

    def ssn_like(self):
        return self.like("999-99-9999")

    def sku(self):
        return self.r.choice([self.like("AAA-9999"), self.like("AA99-9999-AA"), self.like("AAAAA9999A"), self.like("A9999999A")])

    def version(self):
        return self.r.choice(["10.0.19041.1", "1.2.3", "2.14.0.7", "v3.1", "4.0.0-rc1"])

    def price(self):
        return f"{self.r.uniform(1, 90):.2f}"

    def ratio(self):
        return f"{self.r.uniform(0, 90):.5f}"

    def word(self):
        return self.r.choice("pending shipped express standard blue large monthly retail north".split())

    def title(self):
        return self.r.choice(["Summer Sale", "Oak Desk Large", "Weekly Report", "Blue Ocean Drive", "Terms of Service"])

    def sentence(self):
        return self.r.choice(["Left at the door at 10:30.", "Order 4821 was packed on 2026-03-04.", "See chapter 4.1.2 of the manual, page 117.", "Call back later, room 12, floor 3."])

    def off(self, name):
        """A value of that class with one digit wrong."""
        value = getattr(self, name)()
        places = [i for i, c in enumerate(value) if c.isdigit()]
        at = places[-1] if name in ("card", "iban", "us_npi", "uk_nhs", "imei", "ca_sin", "us_aba", "in_aadhaar") else self.r.choice(places)
        return value[:at] + str((int(value[at]) + 1) % 10) + value[at + 1:]
