package guise_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// TestWhatReadersRefuse: documents that say a thing in a way no writer does are
// refused by the name of what is wrong.
func TestWhatReadersRefuse(t *testing.T) {
	capture := string(load(t, "graviton2@6.18").Marshal())
	lab := string(load(t, "qemu10-max@6.12").Marshal())
	contract := baseline(t, nil, load(t, "graviton2@6.18")).Contract
	for _, test := range []struct{ name, text, from, to, want string }{
		{"a capability of no name", lab, `"KVM_CAP_`, `"KVM_CAT_`, "KVM_CAT_"},
		{"a version nobody knows", lab, `"0.2,1.0,1.1`, `"0.2,9.9`, `"9.9" is not a version`},
		{"a capture that is cut off", capture, capture[len(capture)/2:], "", "cut off"},
		{"a contract", string(contract.Marshal()), "", "", "is a contract; want a capture"},
		{"a mark before the text", capture, "{\n", "\ufeff{\n", "byte order mark"},
		{"nothing", " \n", "", "", "is empty; want a capture"},
		{"a page", "<html>", "", "", "is not JSON; want a capture"},
	} {
		text := strings.Replace(test.text, test.from, test.to, 1)
		if test.from != "" && text == test.text {
			t.Errorf("%s: nothing to change", test.name)
		}
		if _, err := guise.ReadCapture("h.json", []byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q in it", test.name, err, test.want)
		}
	}
}

// TestPolicyRulesStandOnce: a rule that stands in a policy twice is refused.
func TestPolicyRulesStandOnce(t *testing.T) {
	text := "schema: guise/policy/v1\nhide: [FEAT_AES]\nhide: [FEAT_SHA1]\n"
	if _, err := guise.ReadPolicy("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "p.yaml:3") || !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "already defined") {
		t.Errorf("%v; want the second rule refused, with its line", err)
	}
}

// TestFleetsKeepOccasions: where and when a host was captured is kept, and nothing is
// written of a host of which nobody knows.
func TestFleetsKeepOccasions(t *testing.T) {
	with, without := *load(t, "graviton2@6.18"), *load(t, "graviton2@6.1")
	with.Name, without.Name = "with", "without"
	with.Captured = guise.Occasion{At: "2026-01-02T03:04:05Z", By: "guise 1", Source: "a test"}
	without.Captured = guise.Occasion{}
	data := guise.MarshalFleet([]*guise.Capture{&without, nil, &with})
	if n := bytes.Count(data, []byte(`"captured"`)); n != 1 {
		t.Errorf("captured stands there %d times", n)
	}
	hosts, err := guise.ReadFleet("f.json", data)
	if err != nil || len(hosts) != 2 || hosts[0].Name != "with" || hosts[0].Captured != with.Captured || hosts[1].Captured != (guise.Occasion{}) {
		t.Errorf("read %+v, %v", hosts, err)
	}
}

// TestHostsOfOneViewAreOneView: hosts that are equal but for their names are one
// view, whether they share their setups in memory or not; each is a host of the
// contract all the same.
func TestHostsOfOneViewAreOneView(t *testing.T) {
	host := load(t, "graviton2@6.18")
	shared, copied := *host, *load(t, "graviton2@6.18")
	shared.Name, copied.Name = "shared", "copied"
	copied.Setups = slices.Clone(copied.Setups)
	result, err := guise.Pools([]*guise.Capture{host, &shared, &copied}, nil, 1)
	if err != nil || result.Distinct != 1 || len(result.Rungs) != 1 || len(result.Rungs[0].Pools) != 1 {
		t.Fatalf("%+v, %v; want one pool of one view", result, err)
	}
	if hosts := result.Rungs[0].Pools[0].Hosts; !slices.Equal(slices.Sorted(slices.Values(hosts)), []string{"copied", "graviton2@6.18", "shared"}) {
		t.Errorf("hosts of the pool: %q", hosts)
	}
	made := baseline(t, nil, host, &shared, &copied).Contract.MadeFrom
	if len(made) != 3 {
		t.Errorf("made from %+v; want three hosts", made)
	}
}

// TestSetupsNobodyAllows: where no setup meets the policy it is a no of complete
// captures, and not known of others.
func TestSetupsNobodyAllows(t *testing.T) {
	host := *only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	policy := &guise.Policy{With: []guise.Feature{guise.FeatureSVE}}
	for complete, want := range map[bool]guise.Verdict{true: guise.No, false: guise.Unknown} {
		host.Complete = complete
		result := baseline(t, policy, &host)
		f := findingOf(result.Findings, "setup")
		if result.Verdict != want || f == nil || f.Verdict != want || (f.Who == "nobody") != complete || strings.Contains(f.Means, "accepted") != complete {
			t.Errorf("complete %v: %v, %+v; want %v", complete, result.Verdict, f, want)
		}
	}
}

// TestWhatOffersAreMadeOf: a host whose offers were not captured possibly takes, of
// each register that userspace has, more than it shows, and of others nothing.
func TestWhatOffersAreMadeOf(t *testing.T) {
	host := only(t, load(t, "qemu10-neoverse-n1@7.2"), "base/vgic3")
	guessed := withSetup(host, "guessed", func(s *guise.CapturedSetup) { s.Offers, s.Accepts = nil, "" })
	contract := baseline(t, nil, host).Contract
	for _, test := range []struct {
		register, field string
		verdict         guise.Verdict
	}{
		{"ID_AA64ISAR0_EL1", "AES", guise.Unknown}, // shows less than the host: some kernels take it
		{"CTR_EL0", "DminLine", guise.Unknown},
	} {
		place, _ := arm64.Place(test.register)
		c := *contract
		for i := range arm64.Registers[place].Fields {
			if f := &arm64.Registers[place].Fields[i]; f.Name == test.field {
				c.View.Values[place] = f.Put(c.View.Values[place], f.Get(c.View.Values[place])-1)
			}
		}
		result := guise.Check(&c, guessed, guise.VMMNone)
		at := slices.IndexFunc(result.Findings, func(f guise.Finding) bool { return f.Register == test.register && f.Field == test.field })
		if at < 0 || result.Findings[at].Verdict != test.verdict {
			t.Errorf("%s.%s one less: %+v; want %v", test.register, test.field, result.Findings, test.verdict)
		}
	}
}

// TestCompleteHostsAreOthers: hosts that share their setups and of which one was not
// captured whole are two views.
func TestCompleteHostsAreOthers(t *testing.T) {
	host := load(t, "qemu10-neoverse-n1@7.2")
	for name, change := range map[string]func(c *guise.Capture){
		"complete":   func(c *guise.Capture) { c.Complete = !c.Complete },
		"page size":  func(c *guise.Capture) { c.Host.PageSize *= 4 },
		"kernel":     func(c *guise.Capture) { c.Host.Kernel = "6.12.1" },
		"capability": func(c *guise.Capture) { c.Host.Capabilities = map[string]int64{"KVM_CAP_ARM_SVE": 1} },
	} {
		other := *host
		other.Name = "other"
		change(&other)
		result, err := guise.Pools([]*guise.Capture{host, &other}, nil, 1)
		if err != nil || result.Distinct != 2 || host.ViewDigest() == other.ViewDigest() {
			t.Errorf("%s: %d views, %v; want 2", name, result.Distinct, err)
		}
	}
}

// TestContractsAreReadInAnyOrder: lists whose order says nothing are put in order.
func TestContractsAreReadInAnyOrder(t *testing.T) {
	good := string(baseline(t, nil, load(t, "graviton2@6.18")).Contract.Marshal())
	at := strings.Index(good, `"absent": [`)
	if at < 0 {
		t.Fatal("the contract has nothing absent")
	}
	list := good[at+len(`"absent": [`):]
	list = list[:strings.Index(list, "]")]
	names := strings.Split(strings.TrimSpace(list), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	slices.Reverse(names)
	if len(names) < 2 {
		t.Fatalf("%q", names)
	}
	contract, err := guise.ReadContract("c.json", []byte(strings.Replace(good, list, strings.Join(names, ", "), 1)))
	if err != nil || string(contract.Marshal()) != good {
		t.Errorf("%v, or the contract is another", err)
	}
	if _, err := guise.ReadContract("c.json", []byte(strings.Replace(good, names[0], `"SCTLR_EL1"`, 1))); err == nil || !strings.Contains(err.Error(), "SCTLR_EL1") {
		t.Errorf("SCTLR_EL1: %v", err)
	}
}

// TestSizesOfDocuments: the longest of its kind is read, and one that is longer is
// called what it is.
func TestSizesOfDocuments(t *testing.T) {
	most := guise.MaxSizeOf(guise.KindFingerprint)
	pad := func(text string, size int) []byte {
		return append([]byte(text), bytes.Repeat([]byte(" "), size-len(text))...)
	}
	for _, test := range []struct {
		text string
		size int
		want string
	}{
		{"{", most, ""}, {"{", most + 1, "no " + guise.KindFingerprint + " is longer than"},
		{`{"schema": "guise/capture/v1"}`, most + 1, "schema: want " + guise.KindFingerprint + ", there is guise/capture/v1"},
		{`{"schema": "` + guise.KindFingerprint + `"}`, most + 1, "is longer than"},
	} {
		err := guise.CheckSize("f", pad(test.text, test.size), guise.KindFingerprint)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40s, %d bytes: %v, want %q", test.text, test.size, err, test.want)
		}
	}
}

// TestWhatIsNotKnownIsNotWritten: no member stands for nothing.
func TestWhatIsNotKnownIsNotWritten(t *testing.T) {
	host := *load(t, "graviton2@6.18")
	host.Captured = guise.Occasion{}
	if text := string(host.Marshal()); strings.Contains(text, `"captured"`) || strings.Contains(text, "{}") {
		t.Errorf("%.300s", text)
	}
	lab := string(load(t, "qemu10-neoverse-n1@7.2").Marshal())
	if strings.Contains(lab, `"listedRemoved": []`) || strings.Contains(lab, `"listedAdded": []`) || strings.Contains(lab, `"absent": []`) {
		t.Error("an empty list is written")
	}
	power := *powerHosts()[2]
	power.Power = &guise.PowerHost{PVR: 1}
	if text := string(power.Marshal()); strings.Contains(text, `"levels"`) || strings.Contains(text, `"facilities"`) || strings.Contains(text, "{}") {
		t.Errorf("%s", text)
	}
}

// TestFleetsHaveASchema: a fleet that does not say what it is is refused.
func TestFleetsHaveASchema(t *testing.T) {
	data := string(guise.MarshalFleet([]*guise.Capture{load(t, "graviton2@6.18")}))
	without := strings.Replace(data, `"schema":"`+guise.SchemaFleet+`",`, "", 1)
	if without == data {
		without = strings.Replace(data, `"schema": "`+guise.SchemaFleet+`",`, "", 1)
	}
	if without == data {
		t.Fatalf("no schema in %.200s", data)
	}
	if hosts, err := guise.ReadFleet("f.json", []byte(without)); err == nil {
		t.Errorf("read %d hosts of a document without a schema", len(hosts))
	}
}

// TestLongTextsAreCut: an error repeats a little of what a document has, and no more.
func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, text := range map[string]string{
		"a name": `{"schema":"guise/capture/v1","setups":[{"features":["` + long + `"]}]}`,
		"a key":  `{"schema":"guise/capture/v1","` + long + `":1}`,
	} {
		if _, err := guise.ReadCapture("h.json", []byte(text)); err == nil || len(err.Error()) > 600 || !strings.Contains(err.Error(), "xxx...") {
			t.Errorf("%s: %.800v", name, err)
		}
	}
}

// TestFleetsOfHostsWithoutNames: each host of a fleet has a name of its own and a view
// that is there.
func TestFleetsOfHostsWithoutNames(t *testing.T) {
	one, other := *load(t, "graviton2@6.18"), *load(t, "graviton2@6.1")
	one.Name, other.Name = "one", "other"
	data := string(guise.MarshalFleet([]*guise.Capture{&one, &other}))
	for from, to := range map[string]string{`"other"`: `"one"`, `"name":"one"`: `"name":""`} {
		changed := strings.Replace(data, from, to, 1)
		if changed == data {
			t.Fatalf("no %s in %.300s", from, data)
		}
		if hosts, err := guise.ReadFleet("f.json", []byte(changed)); err == nil || !strings.Contains(err.Error(), "name") {
			t.Errorf("%s for %s: read %d hosts, %v", to, from, len(hosts), err)
		}
	}
}

// TestLongNamesInPolicies: a policy's names are short, and its comments as long as one
// likes.
func TestLongNamesInPolicies(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, text := range []string{"hide: [" + long + "]", long + ": 1", "restrict: {ID_AA64ISAR0_EL1." + long + ": 1}", "restrict: {ID_AA64ISAR0_EL1.AES: " + long + "}", "hide: ['" + long + "']"} {
		if _, err := guise.ReadPolicy("p.yaml", []byte(text+"\n")); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:1:") || !strings.Contains(err.Error(), "a text of 1") || len(err.Error()) > 200 {
			t.Errorf("%.40s: %.300v", text, err)
		}
	}
	if _, err := guise.ReadPolicy("p.yaml", []byte("# "+long+"\nhide: [FEAT_AES] # "+long+"\n")); err != nil {
		t.Errorf("%.300v", err)
	}
}

// TestPoliciesSayWhatTheyCannotMean: a feature nobody knows is refused with its line,
// under each rule.
func TestPoliciesSayWhatTheyCannotMean(t *testing.T) {
	for _, rule := range []string{"require: {FEAT_NOBODY: true}", "hide: [FEAT_NOBODY]", "require:\n  FEAT_AES: false", "require: {ID_AA64ISAR0_EL1.NOBODY: 1}"} {
		if _, err := guise.ReadPolicy("p.yaml", []byte(rule+"\n")); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:") {
			t.Errorf("%q: %v", rule, err)
		}
	}
}
