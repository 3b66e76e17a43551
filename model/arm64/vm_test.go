package arm64

import (
	"testing"

	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm/vmtest"
)

// TestHostConformance: the model keeps what package vm promises of every backend.
func TestHostConformance(t *testing.T) {
	for _, name := range []string{"5.10/cortex-a72", "6.1/neoverse-n1", "6.12/neoverse-v1", "7.2/max+mte", "7.2/a64fx"} {
		t.Run(name, func(t *testing.T) {
			host, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			vmtest.TestHost(t, host)
		})
	}
}

// benchVM is a VM for benchmarks and allocation counts.
func benchVM(t testing.TB) *VM {
	host, err := Open("7.2/neoverse-v1")
	if err != nil {
		t.Fatal(err)
	}
	s := setupNamed("pauth+pmu+sve")
	m, err := host.newVM(&s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	pfr0Encoding  = arm64.Encoding{Op0: 3, CRm: 4}
	isar0Encoding = arm64.Encoding{Op0: 3, CRm: 6}
)

// TestReadsAndWritesDoNotAllocate: neither a guest's trapped read nor the get
// and set of userspace, taken or refused.
func TestReadsAndWritesDoNotAllocate(t *testing.T) {
	m := benchVM(t)
	c, pfr0 := &m.vcpus[0], pfr0Encoding.ID()
	limit, _ := m.get(c, pfr0)
	for name, f := range map[string]func(){
		"trapped read":  func() { m.Read(0, pfr0Encoding) },
		"trapped write": func() { m.Write(0, pfr0Encoding, 0) },
		"get":           func() { m.get(c, pfr0) },
		"set":           func() { m.set(c, pfr0, limit) },
		"refused set":   func() { m.set(c, pfr0, ^limit) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkTrappedRead: aim, at most 50 ns.
func BenchmarkTrappedRead(b *testing.B) {
	m := benchVM(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Read(0, pfr0Encoding)
	}
}

// BenchmarkTrappedWrite and BenchmarkSet: aim, at most 200 ns.
func BenchmarkTrappedWrite(b *testing.B) {
	m := benchVM(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Write(0, pfr0Encoding, 0)
	}
}

func BenchmarkSet(b *testing.B) {
	m := benchVM(b)
	c, id := &m.vcpus[0], isar0Encoding.ID()
	limit, _ := m.get(c, id)
	b.ReportAllocs()
	for b.Loop() {
		m.set(c, id, limit)
	}
}

func BenchmarkNewVM(b *testing.B) {
	host, err := Open("7.2/neoverse-v1")
	if err != nil {
		b.Fatal(err)
	}
	s := setupNamed("base")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := host.newVM(&s, 1); err != nil {
			b.Fatal(err)
		}
	}
}
