package guise_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/guise-project/guise"
)

// TestReadingAheadChangesNothing: what other readers read of a fleet further on
// in the meantime is what the document's own reader would have read, of good
// documents and of bad ones.
func TestReadingAheadChangesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	captures := distinct(t, 120, 5)
	document := guise.MarshalFleet(captures)
	if len(document) < 1<<20 {
		t.Fatalf("%d bytes are too few to be read ahead", len(document))
	}
	read := func(processors int, document []byte) string {
		runtime.GOMAXPROCS(processors)
		captures, err := guise.ReadFleet("f.json", document)
		if err != nil {
			return err.Error()
		}
		return string(guise.MarshalFleet(captures))
	}
	if there := read(4, document); there != string(document) {
		t.Fatalf("four readers read another fleet: %.200s", there)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		bad := bytes.Clone(document)
		at := random.IntN(len(bad))
		switch i % 3 {
		case 0:
			bad[at] ^= 1 << random.IntN(7)
		case 1:
			bad = bad[:at]
		case 2: // a view within a view, as it were
			at = at + bytes.Index(bad[at:], []byte(`"0x`))
			copy(bad[at:], `"sha256:`)
		}
		if one, four := read(1, bad), read(4, bad); one != four {
			t.Fatalf("byte %d changed: one reader says %.300s; four say %.300s", at, one, four)
		}
	}
}

// BenchmarkReadFleet is one packed fleet of hosts that all differ.
func BenchmarkReadFleet(b *testing.B) {
	for _, n := range []int{500, 1000, 2000} {
		document := guise.MarshalFleet(distinct(b, n, 1))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			for b.Loop() {
				if _, err := guise.ReadFleet("f.json", document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPackedDigestIsNotBelieved: a host of a fleet document that is given other
// facts afterwards is another view, although its digest was known.
func TestPackedDigestIsNotBelieved(t *testing.T) {
	hosts, err := guise.ReadFleet("f.json", guise.MarshalFleet(distinct(t, 3, 1)))
	if err != nil {
		t.Fatal(err)
	}
	other := *hosts[0]
	other.Name, other.Host.Kernel = "other", "6.12.1"
	contract := baseline(t, nil, hosts[0], hosts[1], &other).Contract
	views := map[string]string{}
	for _, from := range contract.MadeFrom {
		views[from.Name] = from.View
	}
	for _, c := range []*guise.Capture{hosts[0], hosts[1], &other} {
		if views[c.Name] != c.ViewDigest() {
			t.Errorf("%s: made from %s, which is not its view", c.Name, views[c.Name])
		}
	}
	if views["other"] == views[hosts[0].Name] {
		t.Error("another kernel, the same view")
	}
}
