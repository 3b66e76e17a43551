package guise_test

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// anyCapture draws a capture that uses all there is in a document.
func (m *fleetMaker) anyCapture(t *rapid.T) *guise.Capture {
	text := rapid.SampledFrom([]string{"", "plain", "ünïcödé \"quoted\" \\ 世", "6.18.30-61.116.amzn2023.aarch64"})
	fleet := m.fleet(t)
	c := fleet[0]
	c.Name = "drawn.json"
	c.Captured = guise.Occasion{At: text.Draw(t, "at"), By: text.Draw(t, "by"), Source: text.Draw(t, "source")}
	c.Host = guise.HostFacts{Kernel: text.Draw(t, "kernel"), Mode: text.Draw(t, "mode"), PageSize: rapid.SampledFrom([]int{0, 4096, 65536}).Draw(t, "page"), Emulator: text.Draw(t, "emulator")}
	for range rapid.IntRange(0, 2).Draw(t, "kinds of core") {
		c.Host.CPUs = append(c.Host.CPUs, guise.HostCPU{MIDR: rapid.Uint64().Draw(t, "MIDR_EL1"), Count: rapid.IntRange(0, 512).Draw(t, "count")})
	}
	c.Complete = rapid.Bool().Draw(t, "complete")
	keys := map[string]bool{}
	setups := slices.Clone(c.Setups)
	c.Setups = nil
	for _, other := range fleet[1:] {
		setups = append(setups, other.Setups[0])
	}
	for _, s := range setups {
		s.Setup = anySetup(t)
		if keys[s.Key()] {
			continue
		}
		keys[s.Key()] = true
		m.anyExtras(t, &s)
		c.Setups = append(c.Setups, s)
	}
	return c
}

func anySetup(t *rapid.T) guise.Setup {
	s := guise.Setup{
		Protected: rapid.Bool().Draw(t, "protected"), VGIC: rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "vgic"),
		IPABits: rapid.SampledFrom([]int{0, 32, 40, 52}).Draw(t, "ipa"), VectorLengths: rapid.SampledFrom([]uint16{0, 1, 0xb, 0xffff}).Draw(t, "lengths"),
	}
	for _, f := range guise.Features {
		if rapid.IntRange(0, 3).Draw(t, string(f)) == 0 {
			s.Features = append(s.Features, f)
		}
	}
	for _, name := range []string{"KVM_CAP_ARM_MTE", "KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"} {
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			s.Capabilities = append(s.Capabilities, name)
		}
	}
	return s
}

// anyExtras adds what only some setups have.
func (m *fleetMaker) anyExtras(t *rapid.T, s *guise.CapturedSetup) {
	id := func() arm64.ID { return arm64.ID(rapid.Uint64().Draw(t, "id")) }
	if rapid.Bool().Draw(t, "extra") {
		s.Extra = map[arm64.ID]uint64{arm64.Encoding{Op0: 3, Op1: 1, CRm: 5, Op2: 3}.ID(): rapid.Uint64().Draw(t, "value")}
	}
	if rapid.Bool().Draw(t, "masks") {
		s.Masks = map[arm64.ID]uint64{arm64.ID(arm64.Registers[arm64.CTREL0].ID): rapid.Uint64().Draw(t, "mask")}
		s.MaskRanges = rapid.Uint64Range(0, 3).Draw(t, "ranges")
	}
	if rapid.Bool().Draw(t, "listed") {
		for range rapid.IntRange(1, 5).Draw(t, "ids") {
			s.Listed = append(s.Listed, id())
		}
		slices.Sort(s.Listed)
		s.Listed = slices.Compact(s.Listed)
	}
	if rapid.IntRange(0, 3).Draw(t, "offers") == 0 {
		s.Offers, s.Accepts, s.AssumedKernel = nil, "", ""
	}
	s.Registers = rapid.SampledFrom([]guise.Source{guise.Read, guise.Imported}).Draw(t, "source")
}

// TestOddTextsAreRefused: names and releases go to terminals, and into lines that
// tell of verdicts. A file's own name is escaped.
func TestOddTextsAreRefused(t *testing.T) {
	capture, err := catalog.Load("graviton2@6.18")
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{"a  takes the contract\nyes     b", "\x1b]0;owned\x07x", "a\x7f", "\u009b31m", "\u202etxt", "a\u2028b"} {
		changed := *capture
		changed.Name = odd
		_, err := guise.ReadFleet("fleet.json", guise.MarshalFleet([]*guise.Capture{&changed}))
		if err == nil || !strings.Contains(err.Error(), "name: want printable characters, there is "+strconv.Quote(odd)) {
			t.Errorf("a host called %q: %v", odd, err)
		}
		changed = *capture
		changed.Host.Kernel = odd
		_, err = guise.ReadCapture("c.json", changed.Marshal())
		if err == nil || !strings.Contains(err.Error(), "kernel: want printable characters, there is "+strconv.Quote(odd)) {
			t.Errorf("kernel %q: %v", odd, err)
		}
		read, err := guise.ReadCapture(odd, capture.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guise.ReadFleet("fleet.json", guise.MarshalFleet([]*guise.Capture{read})); err != nil {
			t.Errorf("read from %q: %v", odd, err)
		}
	}
}

var exact = cmp.Options{cmp.AllowUnexported(arm64.Offers{}), cmpopts.IgnoreUnexported(guise.Capture{}), cmpopts.EquateEmpty()}

// TestCaptureRoundTrip: parse(print(x)) = x, for captures with everything in
// them, and print(parse(print(x))) = print(x).
func TestCaptureRoundTrip(t *testing.T) {
	m := newFleetMaker(t)
	rapid.Check(t, func(t *rapid.T) {
		want := m.anyCapture(t)
		data := want.Marshal()
		got, err := guise.ReadCapture(want.Name, data)
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if diff := cmp.Diff(want, got, exact); diff != "" {
			t.Fatal(diff)
		}
		for i := range want.Setups {
			if (want.Setups[i].Listed == nil) != (got.Setups[i].Listed == nil) {
				t.Fatal("a list that is not known is not the empty one")
			}
		}
		if again := got.Marshal(); !bytes.Equal(data, again) {
			t.Fatalf("prints differently when read back:\n%s", cmp.Diff(string(data), string(again)))
		}
		if want.ViewDigest() != got.ViewDigest() {
			t.Fatal("another view digest when read back")
		}
	})
}

// TestViewDigest: the same for equal machines whenever captured, another for
// any other machine.
func TestViewDigest(t *testing.T) {
	m := newFleetMaker(t)
	rapid.Check(t, func(t *rapid.T) {
		c := m.anyCapture(t)
		later := *c
		later.Name, later.Captured = "other.json", guise.Occasion{At: "2030-01-01T00:00:00Z", By: "another tool"}
		if c.ViewDigest() != later.ViewDigest() {
			t.Fatal("name and occasion are in the view digest")
		}
		changed := *c
		changed.Setups = slices.Clone(c.Setups)
		s := &changed.Setups[rapid.IntRange(0, len(c.Setups)-1).Draw(t, "setup")]
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			s.View.Values[arm64.IDAA64ISAR0EL1] ^= 1 << rapid.IntRange(0, 63).Draw(t, "bit")
		case 1:
			changed.Host.Kernel += "+"
		case 2:
			s.Listed = append(slices.Clone(s.Listed), ^arm64.ID(0))
		case 3:
			s.Masks = map[arm64.ID]uint64{1: 1, 2: 2}
		case 4:
			var offers arm64.Offers
			if s.Offers != nil {
				offers = *s.Offers
			} else {
				offers.FromView(&s.View)
			}
			slot := rapid.IntRange(0, arm64.NumSlots-1).Draw(t, "slot")
			offers.PutSet(slot, offers.Set(slot)^isa.Only(1))
			s.Offers = &offers
		}
		if c.ViewDigest() == changed.ViewDigest() {
			t.Fatal("another machine has the same view digest")
		}
	})
}

func TestFleetRoundTrip(t *testing.T) {
	m := newFleetMaker(t)
	rapid.Check(t, func(t *rapid.T) {
		captures := m.fleet(t)
		captures = append(captures, func() *guise.Capture { c := *captures[0]; c.Name = "twin"; return &c }())
		data := guise.MarshalFleet(captures)
		got, err := guise.ReadFleet("fleet.json", data)
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		slices.SortFunc(captures, func(a, b *guise.Capture) int { return strings.Compare(a.Name, b.Name) })
		if diff := cmp.Diff(captures, got, exact); diff != "" {
			t.Fatal(diff)
		}
		if !bytes.Equal(data, guise.MarshalFleet(got)) {
			t.Fatal("prints differently when read back")
		}
	})
}

func TestContractRoundTrip(t *testing.T) {
	m := newFleetMaker(t)
	policies := []*guise.Policy{nil, {Vary: []string{"identity"}}, {Vary: []string{"ID_AA64MMFR2_EL1.EVT", "CTR_EL0"}}, {Hide: []string{"FEAT_AES"}}}
	rapid.Check(t, func(rt *rapid.T) {
		capture := m.fleet(rt)[0]
		capture.Setups[0].VectorLengths = rapid.SampledFrom([]uint16{0, 0xb}).Draw(rt, "lengths")
		capture.Setups[0].Listed = []arm64.ID{1, 2, 3}
		capture.Setups[0].Extra = map[arm64.ID]uint64{arm64.Encoding{Op0: 3, Op1: 1, CRm: 5, Op2: 3}.ID(): rapid.Uint64().Draw(rt, "extra")}
		want := baseline(t, rapid.SampledFrom(policies).Draw(rt, "policy"), capture).Contract
		if want == nil { // the policy asks for what the host does not take
			want = baseline(t, nil, capture).Contract
		}
		want.Name = "c.json"
		got, err := guise.ReadContract("c.json", want.Marshal())
		if err != nil {
			rt.Fatalf("%v in\n%s", err, want.Marshal())
		}
		if diff := cmp.Diff(want, got, exact, cmpopts.IgnoreUnexported(guise.Contract{}), cmpopts.SortSlices(func(a, b arm64.Encoding) bool { return a.ID() < b.ID() })); diff != "" {
			rt.Fatal(diff)
		}
		if !bytes.Equal(want.Marshal(), got.Marshal()) || want.Digest() != got.Digest() {
			rt.Fatal("prints differently when read back")
		}
	})
}

// badDocuments are documents that must be refused, and with which words.
var badDocuments = []struct{ name, document, want string }{
	{"empty", ``, `bad.json: is empty; want a capture`},
	{"nothing but space", " \n", `bad.json: is empty; want a capture`},
	{"not JSON", `hello`, `bad.json:1:1: is not JSON; want a capture`},
	{"a program", "\n\x7fELF", `bad.json:2:1: is not JSON; want a capture`},
	{"another kind, cut off", "{\n  \"absent\": [", `bad.json:2:14: the document ends too early; is it cut off?`},
	{"an unknown key, and cut off", "{\n  \"shema\": {", `bad.json:2:13: the document ends too early; is it cut off?`},
	{"an unknown key, and not valid", "{\n  \"shema\": 1 2}", `bad.json:2:14: not valid JSON: `},
	{"a list", `[]`, `bad.json:1:1: capture: want an object, there is a list`},
	{"no schema", `{"setups":[{}]}`, `bad.json: no schema; want guise/capture/v1`},
	{"no setups", `{"schema":"guise/capture/v1"}`, `bad.json: the capture has no setups`},
	{"wrong schema", `{"schema":"guise/capture/v2"}`, `bad.json:1:11: schema: want guise/capture/v1, there is guise/capture/v2`},
	{"a contract", "{\n  \"absent\": [],\n  \"schema\": \"guise/contract/v1\"\n}\n", `bad.json:3:13: is a contract; want a capture`},
	{"unknown key", "{\n \"shema\": 1}", `bad.json:2:2: capture: the key "shema" is not known`},
	{"unknown key below", setup(`"vgics":3`), `bad.json:2:2: setup: the key "vgics" is not known`},
	{"duplicate key", setup(`"vgic":3,"ipaBits":40,"vgic":3`), `bad.json:2:24: the key "vgic" stands here twice`},
	{"duplicate in order", setup(`"vgic":3,"vgic":3`), `bad.json:2:11: the key "vgic" stands here twice`},
	{"duplicate register", registers(`"MIDR_EL1":"0x0000000000000001","MIDR_EL1":"0x0000000000000001"`), `bad.json:2:47: the key "MIDR_EL1" stands here twice`},
	{"a register by both names", registers(`"MIDR_EL1":"0x0000000000000001","S3_0_C0_C0_0":"0x0000000000000001"`), `bad.json:2:47: registers: MIDR_EL1 stands here twice, by two names`},
	{"an escape that hides a key", setup(`"vgic":3,"\u0076gic":3`), `bad.json:2:11: the key "vgic" stands here twice`},
	{"short value", registers(`"MIDR_EL1":"0x1"`), `bad.json:2:26: MIDR_EL1: want 0x and 16 lower-case hex digits, there is "0x1"`},
	{"upper case", registers(`"MIDR_EL1":"0x000000000000000A"`), `bad.json:2:26: MIDR_EL1: want 0x and 16 lower-case hex digits, there is "0x000000000000000A"`},
	{"a number for a string", registers(`"MIDR_EL1":1`), `bad.json:2:26: MIDR_EL1: want a string, there is a number`},
	{"16 digits for 8", registers(`"CCSIDR_EL1[0]":"0x0000000000000000"`), `bad.json:2:31: CCSIDR_EL1[0]: want 0x and 8 lower-case hex digits, there is "0x0000000000000000"`},
	{"no such register", registers(`"ID_NONE_EL1":"0x0000000000000000"`), `bad.json:2:15: registers: "ID_NONE_EL1" is not a register of the feature ID space`},
	{"outside the space", registers(`"S3_0_C1_C0_0":"0x0000000000000000"`), `bad.json:2:15: registers: "S3_0_C1_C0_0" is not a register of the feature ID space`},
	{"firmware elsewhere", registers(`"PSCI_VERSION":"0x0000000000010001"`), `bad.json:2:15: registers: "PSCI_VERSION" is not a register of the feature ID space`},
	{"a register as firmware", setup(`"firmware":{"MIDR_EL1":"0x0000000000000001"}`), `bad.json:2:14: firmware: "MIDR_EL1" is not a firmware register of KVM`},
	{"vGIC out of range", setup(`"vgic":4`), `bad.json:2:9: vgic: want a whole number from 0 to 3, there is 4`},
	{"vGIC 1", setup(`"vgic":1`), `bad.json:2:9: vgic: want 0 (none), 2 or 3`},
	{"a fraction", setup(`"vgic":3.5`), `bad.json:2:9: vgic: want a whole number from 0 to 3, there is 3.5`},
	{"a leading zero", setup(`"vgic":03`), `bad.json:2:10: not valid JSON: want a comma or the end of the object, there is '3'`},
	{"a huge number", setup(`"vgic":99999999999999999999`), `bad.json:2:9: vgic: want a whole number from 0 to 3, there is 99999999999999999999`},
	{"an object for a number", setup(`"vgic":{}`), `bad.json:2:9: vgic: want a whole number from 0 to 3, there is an object`},
	{"IPA too small", setup(`"ipaBits":31`), `bad.json:2:12: ipaBits: want 32 to 52, there is 31`},
	{"unknown feature", setup(`"features":["sme"]`), `bad.json:2:14: features: want each of [aarch32 el2 mte pauth pmu sve] at most once, there is "sme"`},
	{"feature twice", setup(`"features":["sve","sve"]`), `bad.json:2:20: features: want each of [aarch32 el2 mte pauth pmu sve] at most once, there is "sve"`},
	{"an id that is listed already", `{"schema":"guise/capture/v1","setups":[{"vgic":3,"listed":["0x6030000000100000"]},{"vgic":0,"listedAdded":["0x6030000000100000"]}]}`, `bad.json:1:128: listed: want ids in ascending order, each once`},
	{"an id added twice", `{"schema":"guise/capture/v1","setups":[{"vgic":3},{"vgic":0,"listedAdded":["0x6030000000100000","0x6030000000100000"]}]}`, `bad.json:1:117: listed: want ids in ascending order, each once`},
	{"a capability twice", setup(`"capabilities":["KVM_CAP_ARM_MTE","KVM_CAP_ARM_MTE"]`), `bad.json:2:36: capabilities: "KVM_CAP_ARM_MTE" stands here twice`},
	{"one mask by two names", setup(`"masks":{"ID_AA64PFR0_EL1":"0x0000000000000000","S3_0_C0_C4_0":"0x0000000000000001"}`), `bad.json:2:50: masks: ID_AA64PFR0_EL1 stands here twice, by two names`},
	{"a basis of nothing", setup(`"basis":{"accepts":"tried"}`), `bad.json:2:29: basis: says how accepts is known, and the setup has none`},
	{"an odd vector length", setup(`"vectorLengths":[100]`), `bad.json:2:19: vectorLengths: want multiples of 128 bits up to 2048, there is 100`},
	{"ids out of order", setup(`"listed":["0x0000000000000002","0x0000000000000001"]`), `bad.json:2:53: listed: want ids in ascending order, each once`},
	{"no such field", accepts(`"ID_AA64PFR0_EL1":{"NOPE":"0"}`), `bad.json:2:32: accepts: ID_AA64PFR0_EL1 has no field "NOPE" that is a set`},
	{"a set out of range", accepts(`"ID_AA64PFR0_EL1":{"SVE":"0-16"}`), `bad.json:2:38: accepts: ID_AA64PFR0_EL1.SVE: set "0-16": a range goes from a lower to a higher value, both 0 to 15`},
	{"a set wider than the field", accepts(`"CTR_EL0":{"DIC":"0-2"}`), `bad.json:2:30: accepts: CTR_EL0.DIC: set "0-2": the field has 1 bits`},
	{"an empty set", accepts(`"ID_AA64PFR0_EL1":{"SVE":"none"}`), `bad.json:2:38: accepts: ID_AA64PFR0_EL1.SVE: set "none": a guest always sees some value`},
	{"sets of a register that is not there", accepts(`"ID_AA64PFR0_EL1":{"SVE":"0-1"}`), `bad.json:2:45: accepts: the setup has no ID_AA64PFR0_EL1`},
	{"any of what", accepts(`"MIDR_EL1":{"*":"some"}`), `bad.json:2:29: accepts: MIDR_EL1.*: want "any", there is "some"`},
	{"a setup twice", "{\"schema\":\"guise/capture/v1\",\"setups\":[\n{},{}]}", `bad.json:2:5: setup base/vgic0: stands in the capture twice`},
	{"no comma", setup(`"vgic":3 "ipaBits":40`), `bad.json:2:11: not valid JSON: want a comma or the end of the object, there is '"'`},
	{"a comma too many", setup(`"vgic":3,`), `bad.json:2:11: not valid JSON: want a string, there is '}'`},
	{"no colon", setup(`"vgic" 3`), `bad.json:2:9: not valid JSON: want a colon, there is '3'`},
	{"a bad escape", setup(`"capabilities":["\x"]`), `bad.json:2:19: not valid JSON: invalid escape sequence`},
	{"a bad rune", setup("\"capabilities\":[\"\xff\"]"), `bad.json:2:19: not valid JSON: invalid UTF-8`},
	{"a line feed in a string", setup("\"capabilities\":[\"a\nb\"]"), `bad.json:2:20: not valid JSON: invalid character '\n' in string (expecting non-control character)`},
	{"cut in a string", "{\"schema\":\"guise/cap", `bad.json:1:21: the document ends too early; is it cut off?`},
	{"cut after a value", "{\"schema\":\"guise/capture/v1\"\n", `bad.json:2:1: the document ends too early; is it cut off?`},
	{"something follows", setup(``) + "\n{}", `bad.json:4:1: something follows the document`},
	{"a byte order mark", "\ufeff{}", `bad.json:1:1: begins with a byte order mark; want none`},
}

// setup is a capture with the given members of a setup on its second line.
func setup(members string) string {
	return "{\"schema\":\"guise/capture/v1\",\"setups\":[{\n " + members + "}]\n}"
}

func registers(members string) string { return setup(`"registers":{` + members + `}`) }

func accepts(members string) string { return setup(`"accepts":{` + members + `}`) }

func TestBadDocuments(t *testing.T) {
	for _, bad := range badDocuments {
		t.Run(bad.name, func(t *testing.T) {
			capture, err := guise.ReadCapture("bad.json", []byte(bad.document))
			var documentError *guise.DocumentError
			switch {
			case err == nil || capture != nil:
				t.Fatalf("read as %v with %v", capture, err)
			case !errors.As(err, &documentError):
				t.Fatalf("%T, want a *DocumentError", err)
			case !strings.HasPrefix(err.Error(), bad.want):
				t.Errorf("\n got %s\nwant %s", err, bad.want)
			}
		})
	}
}

// TestEveryTruncationIsRefused: no beginning of a document is a document.
func TestEveryTruncationIsRefused(t *testing.T) {
	data := bytes.TrimRight(load(t, "graviton3@6.18").Marshal(), "\n")
	for n := 1; n < len(data); n += 7 {
		if c, err := guise.ReadCapture("cut.json", data[:n]); err == nil || c != nil || !strings.Contains(err.Error(), "cut off") {
			t.Fatalf("the first %d bytes: %v, %v", n, c, err)
		}
	}
	// What a reader holds from a bad document does not show in the next.
	if _, err := guise.ReadCapture("whole.json", data); err != nil {
		t.Error(err)
	}
}

func TestBadContracts(t *testing.T) {
	const head = `{"schema":"guise/contract/v1","setup":{},`
	for _, bad := range []struct{ name, document, want string }{
		{"a capture", string(load(t, "graviton2@6.1").Marshal()), `is a capture; want a contract`},
		{"no setup", `{"schema":"guise/contract/v1"}`, `and its setup`},
		{"DCZID varies", head + `"vary":{"DCZID_EL0":"0x0000000000000001"}}`, `DCZID_EL0 must never vary`},
		{"varies without a value", head + `"vary":{"CTR_EL0":"0x0000000000000001"}}`, `CTR_EL0 has no value in the contract`},
		{"varies and has a value", head + `"registers":{"CTR_EL0":"0x0000000000000001"},"vary":{"CTR_EL0":"0x0000000000000001"}}`, `bits 0x1 vary and have a value`},
		{"absent and has a value", head + `"registers":{"CTR_EL0":"0x0000000000000001"},"absent":["CTR_EL0"]}`, `CTR_EL0: has a value and must not have one`},
		{"says too little", head + `"absent":[]}`, `MIDR_EL1: want a value, or that it is absent or uncontrolled; the contract says nothing of it`},
		{"says it twice", head + `"absent":["MIDR_EL1"],"uncontrolled":["S3_0_C0_C0_0"]}`, `MIDR_EL1: want it once, absent or uncontrolled; it stands there 2 times`},
		{"another rule", head + `"others":"0x0000000000000001"}`, `others: want 0x0000000000000000`},
	} {
		t.Run(bad.name, func(t *testing.T) {
			contract, err := guise.ReadContract("bad.json", []byte(bad.document))
			if err == nil || contract != nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("%v, %v; want %s", contract, err, bad.want)
			}
		})
	}
}

// TestFleetOfChangedViews: a fleet names each view by its digest, and a view
// that is another than its digest says is refused.
func TestFleetOfChangedViews(t *testing.T) {
	data := guise.MarshalFleet([]*guise.Capture{load(t, "graviton2@6.18"), load(t, "graviton3@6.18")})
	if _, err := guise.ReadFleet("fleet.json", data); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(data, []byte(`"vgic":3`), []byte(`"vgic":2`), 1)
	if bytes.Equal(changed, data) {
		t.Fatal("nothing to change in the fleet")
	}
	_, err := guise.ReadFleet("fleet.json", changed)
	if err == nil || !strings.Contains(err.Error(), "its digest is sha256:") {
		t.Errorf("a changed view: %v", err)
	}
}

// TestSchemaWithEscapes: a fleet is known by its schema however the string is
// written.
func TestSchemaWithEscapes(t *testing.T) {
	data := guise.MarshalFleet([]*guise.Capture{load(t, "graviton2@6.18")})
	escaped := bytes.Replace(data, []byte("guise/fleet/v1"), []byte(`guise\/fleet\/v1`), 1)
	if there := guise.SchemaOf(escaped); there != guise.SchemaFleet {
		t.Errorf("SchemaOf gives %q", there)
	}
	if _, err := guise.ReadFleet("fleet.json", escaped); err != nil {
		t.Error(err)
	}
	if _, err := guise.ReadFleet("proof.json", []byte(`{"contract":"x","schema":"guise/proof/v1"}`)); err == nil || !strings.Contains(err.Error(), "is a proof; want a fleet") {
		t.Errorf("a proof as a fleet: %v", err)
	}
}
