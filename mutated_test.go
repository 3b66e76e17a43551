package guise_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
)

// jsonMutator changes places of a JSON value in ways that keep it near to a
// document: what is wrong with it is then not its form.
type jsonMutator struct {
	*rand.Rand
	strings []string // of the document
}

// collect gathers the strings of a value.
func (m *jsonMutator) collect(value any) {
	switch v := value.(type) {
	case string:
		m.strings = append(m.strings, v)
	case []any:
		for _, element := range v {
			m.collect(element)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.collect(v[key])
		}
	}
}

// mutate returns the value with one place in it changed.
func (m *jsonMutator) mutate(value any) any {
	switch v := value.(type) {
	case string:
		return m.strings[m.IntN(len(m.strings))]
	case float64:
		return v + float64(m.IntN(3)-1)
	case bool:
		return !v
	case []any:
		if len(v) == 0 {
			return v
		}
		i, j := m.IntN(len(v)), m.IntN(len(v))
		v = slices.Clone(v)
		switch m.IntN(6) {
		case 0:
			return slices.Insert(v, j, v[i]) // twice
		case 1:
			v[i], v[j] = v[j], v[i]
		case 2:
			return slices.Delete(v, i, i+1)
		default:
			v[i] = m.mutate(v[i])
		}
		return v
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return v
		}
		v = maps.Clone(v)
		key := keys[m.IntN(len(keys))]
		switch m.IntN(12) {
		case 0:
			delete(v, key)
		case 1:
			v[key] = v[keys[m.IntN(len(keys))]]
		default:
			v[key] = m.mutate(v[key])
		}
		return v
	}
	return value
}

// TestWrittenDocumentsReadAgain: of changed documents, those that a reader takes
// are written so that it takes them again, as the same; and so are contracts that
// are computed from them.
func TestWrittenDocumentsReadAgain(t *testing.T) {
	small := load(t, "qemu10-cortex-a53@6.12")
	small.Setups = small.Setups[:4]
	contract := baseline(t, nil, small).Contract
	captures, contracts, tried := 0, 0, 0
	for _, kind := range []struct {
		name  string
		data  []byte
		again func(data []byte) (written []byte, err error)
	}{
		{"capture", small.Marshal(), func(data []byte) ([]byte, error) {
			c, err := guise.ReadCapture("mutated.json", data)
			if err != nil {
				return nil, err
			}
			captures++
			if result, err := guise.Baseline([]*guise.Capture{c}, nil); err == nil && result.Contract != nil {
				made := result.Contract.Marshal()
				read, err := guise.ReadContract("made.json", made)
				if err != nil || !bytes.Equal(read.Marshal(), made) {
					t.Errorf("the contract of a capture that was read: %v\n%s", err, data)
				}
			}
			written := c.Marshal()
			if read, err := guise.ReadCapture("written.json", written); err != nil || read.ViewDigest() != c.ViewDigest() {
				t.Errorf("a capture that was read shows another view when written: %v\n%s", err, data)
			}
			return written, nil
		}},
		{"contract", contract.Marshal(), func(data []byte) ([]byte, error) {
			c, err := guise.ReadContract("mutated.json", data)
			if err != nil {
				return nil, err
			}
			contracts++
			guise.Check(c, small, guise.VMMQEMU)
			return c.Marshal(), nil
		}},
	} {
		var whole any
		if err := json.Unmarshal(kind.data, &whole); err != nil {
			t.Fatal(err)
		}
		m := &jsonMutator{}
		m.collect(whole)
		for i := range 4_000 {
			tried++
			m.Rand = rand.New(rand.NewPCG(15, uint64(i)))
			value := whole
			for range 1 + m.IntN(3) {
				value = m.mutate(value)
			}
			data, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			written, err := kind.again(data)
			if err != nil {
				continue
			}
			if twice, err := kind.again(written); err != nil || !bytes.Equal(twice, written) {
				t.Errorf("%s, case %d: what was written reads as another: %v", kind.name, i, err)
			}
		}
	}
	if captures < tried/20 || contracts < tried/40 {
		t.Errorf("of %d documents only %d captures and %d contracts were taken", tried, captures, contracts)
	}
	testenv.Figure(t, "%d changed documents: %d captures and %d contracts were taken, written and read again", tried, captures, contracts)
}
