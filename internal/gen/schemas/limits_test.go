package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/isa/arm64"
)

// Whatever stands in a document of up to 64 MiB, reading or refusing it takes 256
// MiB of memory at most: the document itself, and what is allocated in all, which
// is more than is ever in use.
const (
	largestTried  = 64 << 20
	mostAllocated = 256<<20 - largestTried
)

// schemaOf gives the schema of a kind's documents.
func (k *kind) schemaOf() string {
	return "guise/" + strings.TrimSuffix(k.schema, ".json") + "/v1"
}

// TestEveryKindHasALimit: no schema is published of documents without one.
func TestEveryKindHasALimit(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	read := map[string]bool{}
	for _, k := range slices.Concat(kinds(t), carriedKinds(t)) {
		read[k.schema] = true
		most := guise.MaxSizeOf(k.schemaOf())
		if most == 0 || most > guise.MaxDocumentSize {
			t.Errorf("%s: a limit of %d bytes", k.schema, most)
		}
		err := k.read(append(bytes.Clone(k.document), bytes.Repeat([]byte{' '}, most)...))
		if err == nil || !strings.Contains(err.Error(), "is longer than") {
			t.Errorf("%s: a document that is too long: %v", k.schema, err)
		}
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "common.json" && !strings.HasPrefix(name, "answer-") && !read[name] {
			t.Errorf("%s: nothing reads documents of it here", name)
		}
	}
}

// hostile is a document that is meant to cost its reader much.
type hostile struct {
	name string
	data func(size int) []byte
}

// hostiles derives documents from a good one: every list of it filled with
// elements, every object with members, and what is no document at all.
func hostiles(t *testing.T, document []byte) []hostile {
	const hole = "the hole to fill"
	found := []hostile{
		{"brackets", func(size int) []byte { return bytes.Repeat([]byte{'['}, size) }},
		{"objects in objects", func(size int) []byte { return bytes.Repeat([]byte(`{"a":`), size/5) }},
		{"one long text", func(size int) []byte {
			return slices.Concat([]byte{'"'}, bytes.Repeat([]byte("a"), size-2), []byte{'"'})
		}},
		{"nothing", func(size int) []byte { return bytes.Repeat([]byte{' '}, size) }},
		{"a long key", func(size int) []byte {
			return slices.Concat([]byte(`{"`), bytes.Repeat([]byte(`\u0041`), size/6-1), []byte(`":1}`))
		}},
	}
	root := decode(t, document)
	fill := func(what, before, after string, element func(i int, data []byte) []byte) {
		whole, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		head, tail, ok := bytes.Cut(whole, []byte(`"`+hole+`"`))
		if !ok {
			t.Fatalf("%s: no hole in %s", what, whole)
		}
		found = append(found, hostile{what, func(size int) []byte {
			data := append(slices.Grow(slices.Clone(head), size), before...)
			for i := 0; len(data) < size-len(tail)-len(after)-1024; i++ {
				if i > 0 {
					data = append(data, ',')
				}
				data = element(i, data)
			}
			return append(append(data, after...), tail...)
		}})
	}
	lists := func(path string, elements ...string) {
		for _, element := range elements {
			if len(element) <= 512 {
				fill(path+" of "+element, "[", "]", func(_ int, data []byte) []byte { return append(data, element...) })
			}
		}
	}
	objects := func(path string, values ...string) {
		for _, value := range values {
			for _, prefix := range []string{"KVM_CAP_", "0x0"} {
				if len(value) > 512 {
					continue
				}
				fill(path+" of "+prefix+" "+value, "{", "}", func(i int, data []byte) []byte {
					number := strconv.FormatUint(1<<60|uint64(i), 16)
					data = append(append(append(data, '"'), prefix...), number...)
					return append(append(data, `":`...), value...)
				})
			}
		}
	}
	texts := func(path string) {
		fill(path+" is long", `"`, `"`, func(_ int, data []byte) []byte { return append(data, "0123456789"...) })
		fill(path+" is a long number", "1", "", func(_ int, data []byte) []byte { return append(data[:len(data)-1], "0123456789"...) })
	}
	var walk func(value any, path string, put func(any))
	walk = func(value any, path string, put func(any)) {
		if strings.Contains(path, ".contract.") {
			return // they are a kind of their own
		}
		put(hole)
		defer put(value)
		switch value := value.(type) {
		case map[string]any:
			first := `""`
			for _, key := range slices.Sorted(maps.Keys(value)) {
				text, _ := json.Marshal(value[key])
				first = string(text)
				break
			}
			objects(path, first, "{}")
			put(value)
			for _, key := range slices.Sorted(maps.Keys(value)) {
				walk(value[key], path+"."+key, func(other any) { value[key] = other })
			}
		case []any:
			first := "[]"
			if len(value) > 0 {
				text, _ := json.Marshal(value[0])
				first = string(text)
			}
			lists(path, first, "{}", "0", strings.Replace(first, `"`, `"\u0041`, 1))
			put(value)
			for i := range min(1, len(value)) {
				walk(value[i], fmt.Sprintf("%s[%d]", path, i), func(other any) { value[i] = other })
			}
		default:
			if strings.Count(path, ".") < 2 {
				texts(path)
			}
		}
	}
	walk(root, "$", func(other any) { root = other })
	return found
}

// allocated returns how many bytes a function allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// fingerprintKind is what Firecracker writes.
func fingerprintKind() kind {
	const document = `{"firecracker_version":"1.13.0","kernel_version":"6.1","microcode_version":"0","bios_version":"1","bios_revision":"1",
		"guest_cpu_config":{"kvm_capabilities":["70"],"vcpu_features":[{"index":0,"bitmap":"0b0"}],
		"reg_modifiers":[{"addr":"0x6030000000138012","bitmap":"0b1"}]}}`
	return kind{schema: guise.KindFingerprint, document: []byte(document), read: func(data []byte) error {
		_, err := interop.ImportFirecracker("fingerprint.json", data)
		return err
	}}
}

func TestHostileDocumentsTakeLittleMemory(t *testing.T) {
	documents, worst, worstOf := 0, uint64(0), ""
	for _, k := range slices.Concat(kinds(t), carriedKinds(t), []kind{fingerprintKind()}) {
		size := guise.MaxSizeOf(k.schemaOf())
		if k.schema == guise.KindFingerprint {
			size = guise.MaxSizeOf(k.schema)
		}
		for _, h := range hostiles(t, k.document) {
			if k.schema == "fleet.json" && strings.Contains(h.name, ".setups[0].") && !strings.HasSuffix(h.name, " of {}") {
				continue // a minute's work, and what captures show already
			}
			data := h.data(min(size, largestTried))
			documents++
			took := allocated(func() { _ = k.read(data) })
			name := k.schema + ": " + h.name
			if took > worst {
				worst, worstOf = took, name
			}
			if took > mostAllocated {
				t.Errorf("%s: %d MiB of memory for %d MiB", name, took>>20, len(data)>>20)
			}
		}
	}
	if documents < 800 {
		t.Errorf("only %d documents", documents)
	}
	testenv.Figure(t, "%d hostile documents: the costliest allocates %d MiB, %s", documents, worst>>20, worstOf)
}

// compact removes the white space of a document.
func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var small bytes.Buffer
	if err := json.Compact(&small, data); err != nil {
		t.Fatal(err)
	}
	return small.Bytes()
}

// everySetup gives the setups that a capture can have beside the plainest, each
// as short as can be written.
func everySetup(first *guise.CapturedSetup) []guise.CapturedSetup {
	setups := []guise.CapturedSetup{*first}
	for bits := range 2 << len(guise.Features) {
		for _, vgic := range []int{0, 2, 3} {
			s := *first
			s.Offers, s.Accepts, s.VGIC, s.Protected, s.Features = nil, "", vgic, bits&1 != 0, nil
			for i, feature := range guise.Features {
				if bits>>(i+1)&1 != 0 {
					s.Features = append(s.Features, feature)
				}
			}
			if s.Key() != first.Key() {
				setups = append(setups, s)
			}
		}
	}
	return setups
}

// TestRichFleets: fleets whose views are right, and that are small for what is in
// them, are refused before they take too much; those of the richest hosts of the
// catalogue are read, however large.
func TestRichFleets(t *testing.T) {
	rich, err := catalog.Load("qemu10-max@5.10")
	if err != nil {
		t.Fatal(err)
	}
	bare := &guise.Capture{Setups: everySetup(&guise.CapturedSetup{Setup: guise.Setup{VGIC: 3}, Registers: guise.Read})}
	listing := &guise.Capture{Setups: everySetup(&guise.CapturedSetup{Setup: guise.Setup{VGIC: 3}, Registers: guise.Read})}
	for i := range 2_000 {
		listing.Setups[0].Listed = append(listing.Setups[0].Listed, arm64.ID(i+1))
	}
	for i := range listing.Setups {
		listing.Setups[i].Listed = listing.Setups[0].Listed
	}
	for _, test := range []struct {
		name    string
		capture *guise.Capture
		refused bool
	}{{"every setup of hosts that show nothing", bare, true}, {"every setup of hosts with long lists", listing, true}, {rich.Name, rich, false}} {
		data := fleetOf(t, test.capture, test.refused)
		took := allocated(func() { _, err = guise.ReadFleet("fleet.json", data) })
		testenv.Figure(t, "a fleet of %d MiB, %s: %d MiB of memory", len(data)>>20, test.name, took>>20)
		if refused := err != nil && strings.Contains(err.Error(), "more memory than"); refused != test.refused || !refused && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if took > mostAllocated {
			t.Errorf("%s: %d MiB of memory for %d MiB", test.name, took>>20, len(data)>>20)
		}
	}
}

// fleetOf is a fleet of hosts that differ in the kernel's release alone, as large
// as is tried. Digests that no reader will come to need not be right.
func fleetOf(t *testing.T, c *guise.Capture, refused bool) []byte {
	t.Helper()
	const release = "the release"
	host := *c
	host.Host.Kernel = release
	var fleet struct {
		Views map[string]json.RawMessage `json:"views"`
	}
	if err := json.Unmarshal(compact(t, guise.MarshalFleet([]*guise.Capture{&host})), &fleet); err != nil {
		t.Fatal(err)
	}
	text := slices.Collect(maps.Values(fleet.Views))[0]
	var hosts, views []string
	for i := range largestTried / (len(text) + 200) {
		host.Host.Kernel = fmt.Sprintf("6.1.%d", i)
		digest := host.Host.Kernel
		if !refused {
			digest = host.ViewDigest()
		}
		hosts = append(hosts, fmt.Sprintf(`{"name":"host%d","view":%q}`, i, digest))
		views = append(views, fmt.Sprintf("%q:%s", digest, bytes.ReplaceAll(text, []byte(release), []byte(host.Host.Kernel))))
	}
	return fmt.Appendf(nil, `{"hosts":[%s],"schema":%q,"views":{%s}}`, strings.Join(hosts, ","), guise.SchemaFleet, strings.Join(views, ","))
}
