package guise_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// TestReadersForgetWhatIsNotThere: a reader remembers texts of documents that it
// read; what comes out of a document is the same whatever was read before, and
// documents with errors among it.
func TestReadersForgetWhatIsNotThere(t *testing.T) {
	var documents, bad [][]byte
	for _, name := range catalog.Names() {
		c := load(t, name)
		documents = append(documents, c.Marshal())
		if c.Setups[0].Offers == nil || c.Setups[0].Listed == nil {
			continue
		}
		// Nearly the same: a list that is one shorter, a register that takes less.
		less := changed(c, name, func(s *guise.CapturedSetup, offers *arm64.Offers) {
			s.Listed = s.Listed[:len(s.Listed)-1]
			slot := plainSlots(3)[2]
			limit, _ := arm64.Slots[slot].Extract(s.View.Values[arm64.Slots[slot].Register])
			offers.PutSet(slot, isa.Only(limit))
			offers.Free(arm64.CLIDREL1)
		})
		documents = append(documents, less.Marshal())
		var compact bytes.Buffer
		if err := json.Compact(&compact, less.Marshal()); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, compact.Bytes())
		whole := compact.Bytes()
		bad = append(bad, whole[:len(whole)*2/3])
		for _, typo := range [][2]string{{`"listed":["0x60`, `"listed":["0x6z`}, {`"accepts":{"`, `"accepts":{"I`}, {`"CLIDR_EL1":{"*"`, `"CLIDR_EL1":{"+"`}} {
			if mistaken := bytes.Replace(whole, []byte(typo[0]), []byte(typo[1]), 1); !bytes.Equal(mistaken, whole) {
				bad = append(bad, mistaken)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		if random.IntN(4) == 0 {
			if _, err := guise.ReadCapture("bad.json", bad[random.IntN(len(bad))]); err == nil {
				t.Fatal("a bad document was read")
			}
		}
		document := documents[random.IntN(len(documents))]
		c, err := guise.ReadCapture("c.json", document)
		if err != nil {
			t.Fatal(err)
		}
		written := c.Marshal()
		if document[1] != '\n' {
			var compact bytes.Buffer
			if err := json.Compact(&compact, written); err != nil {
				t.Fatal(err)
			}
			written = compact.Bytes()
		}
		if !bytes.Equal(written, document) {
			t.Fatal("it was read as another document")
		}
	}
}
