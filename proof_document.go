package guise

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/probe"
)

// Marshal writes the proof as a document; equal proofs give equal bytes.
func (p *Proof) Marshal() []byte {
	setup := members{}
	appendSetup(setup, &p.Setup)
	document := members{"schema": SchemaProof, "verdict": p.Verdict().String()}
	if p.Power != nil {
		document["power"] = p.Power.members()
	} else {
		document["setup"] = setup
	}
	put(document, "contract", p.Contract)
	put(document, "view", p.View)
	if made := p.Made.members(); len(made) > 0 {
		document["captured"] = made
	}
	if host := p.Host.members(); len(host) > 0 {
		document["host"] = host
	}
	if p.Trace != nil {
		document["trace"] = p.Trace
	}
	if p.Traps != nil {
		document["traps"] = p.Traps
	}
	findings := make([]members, len(p.Findings))
	for i := range p.Findings {
		findings[i] = p.Findings[i].members()
	}
	document["findings"] = findings
	return marshal(document)
}

// members writes a finding.
func (f *Finding) members() members {
	m := members{"verdict": f.Verdict.String(), "kind": string(f.Kind), "register": f.Register}
	for _, t := range findingTexts {
		put(m, t.key, *t.text(f))
	}
	var hosts []members
	for _, h := range f.Hosts {
		host := members{"host": h.Host, "value": h.Value}
		put(host, "takes", h.Takes)
		hosts = append(hosts, host)
	}
	if hosts != nil {
		m["hosts"] = hosts
	}
	return m
}

// findingTexts are the members of a finding that are left out where there is nothing
// to say.
var findingTexts = []struct {
	key  string
	text func(*Finding) *string
}{
	{"field", func(f *Finding) *string { return &f.Field }},
	{"wanted", func(f *Finding) *string { return &f.Wanted }},
	{"who", func(f *Finding) *string { return &f.Who }},
	{"means", func(f *Finding) *string { return &f.Means }},
	{"mend", func(f *Finding) *string { return &f.Mend }},
	{"rests", func(f *Finding) *string { return &f.Rests }},
}

// ReadProof reads a proof. File names the document in errors, which are
// *DocumentError. It is safe for concurrent use.
func ReadProof(file string, data []byte) (*Proof, error) {
	r := readers.Get().(*documentReader)
	defer readers.Put(r)
	if err := CheckSize(file, data, SchemaProof); err != nil {
		return nil, err
	}
	r.reset(file, data)
	p := &Proof{Name: file}
	schema, verdict := false, ""
	r.object("proof", func(key []byte) {
		switch string(key) {
		case "schema":
			r.schema(SchemaProof)
			schema = true
		case "captured":
			r.occasion(&p.Made)
		case "contract":
			p.Contract = string(r.text("contract"))
		case "view":
			p.View = string(r.text("view"))
		case "power":
			p.Power = r.powerTrace()
		case "setup":
			r.arm64 = true
			r.object("setup", func(key []byte) { r.setupMember(&p.Setup, key) })
		case "host":
			r.hostFacts(&p.Host)
		case "trace":
			r.arm64 = true
			p.Trace = decoded[probe.Trace](r, "trace")
		case "traps":
			r.arm64 = true
			p.Traps = decoded[probe.Traps](r, "traps")
		case "findings":
			r.list("findings", func() {
				r.spend(roomOfFinding)
				p.Findings = append(p.Findings, r.finding())
			})
		case "verdict":
			verdict = string(r.text("verdict"))
		default:
			r.unknownKey(key, "proof")
		}
	})
	r.oneArchitecture(p.Power != nil)
	if err := r.finishAs(SchemaProof); err != nil {
		return nil, err
	}
	if !schema {
		return nil, &DocumentError{File: file, Message: "want a proof with its schema, " + SchemaProof}
	}
	if verdict != p.Verdict().String() {
		return nil, &DocumentError{File: file, Message: "verdict: the findings amount to " + p.Verdict().String() + ", there is " + verdict}
	}
	return p, nil
}

// decoded reads a part of a document that reads itself.
func decoded[T any](r *documentReader, what string) *T {
	value := r.value()
	if r.err != nil {
		return nil
	}
	part := new(T)
	if err := json.Unmarshal(value, part); err != nil {
		message := strings.TrimPrefix(NewDocumentError("", nil, err).Message, ": ")
		r.fail("%s: %s", what, strings.TrimPrefix(message, what+": "))
		return nil
	}
	return part
}

// finding reads one finding.
func (r *documentReader) finding() (f Finding) {
	told := false // a verdict that is left out is none, and least of all yes
	r.object("finding", func(key []byte) {
		for i := range findingTexts {
			if t := &findingTexts[i]; t.key == string(key) {
				*t.text(&f) = string(r.text(t.key))
				return
			}
		}
		switch string(key) {
		case "verdict":
			word := string(r.text("verdict"))
			place := slices.Index(verdictNames[:], word)
			if place < 0 {
				r.fail("verdict: %q: want yes, no or unknown", word)
				return
			}
			f.Verdict, told = Verdict(place), true
		case "kind":
			f.Kind = Kind(r.text("kind"))
		case "register":
			f.Register = string(r.text("register"))
		case "hosts":
			r.list("hosts", func() {
				r.spend(roomOfValue)
				f.Hosts = append(f.Hosts, r.hostValue())
			})
		default:
			r.unknownKey(key, "finding")
		}
	})
	if !told {
		r.fail("finding %s: has no verdict; want yes, no or unknown", f.Name())
	}
	return f
}

func (r *documentReader) hostValue() (h HostValue) {
	r.object("host", func(key []byte) {
		switch string(key) {
		case "host":
			h.Host = string(r.text("host"))
		case "value":
			h.Value = string(r.text("value"))
		case "takes":
			h.Takes = string(r.text("takes"))
		default:
			r.unknownKey(key, "host")
		}
	})
	return h
}
