package probe

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/guise-project/guise/isa/arm64"
)

// everything is all programs in one.
func everything() *Program {
	return Join("everything", FeatureSpace(), Hardware(), ServiceCalls(), Writes(), Instructions())
}

func build(t testing.TB, p *Program, layout Layout) *Image {
	t.Helper()
	image, err := p.Build(layout)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestBuildIsPure(t *testing.T) {
	for _, channel := range []Channel{Memory, MMIO} {
		first, second := build(t, everything(), Layout{Channel: channel}), build(t, everything(), Layout{Channel: channel})
		if !bytes.Equal(first.Bytes, second.Bytes) {
			t.Errorf("channel %d: two images of one program differ", channel)
		}
	}
}

func TestBuildLayout(t *testing.T) {
	p := everything()
	for _, layout := range []Layout{{}, {Channel: MMIO}, {Base: 0x7000_0000}, {Base: 0x4000_0000, Channel: MMIO}} {
		image := build(t, p, layout)
		want := layout.Base
		if want == 0 {
			want = DefaultBase
		}
		records := uint64(len(p.Ops)+2) * recordSize
		switch {
		case image.Base != want:
			t.Errorf("base %#x; want %#x", image.Base, want)
		case image.MemorySize%hostPageSize != 0 || uint64(len(image.Bytes)) > image.MemorySize:
			t.Errorf("%#x bytes of memory for an image of %#x", image.MemorySize, len(image.Bytes))
		case image.Entry < image.Base || image.Entry >= image.Base+uint64(len(image.Bytes)):
			t.Errorf("entry %#x lies outside the image", image.Entry)
		case layout.Channel == Memory && (image.records < image.Base+uint64(len(image.Bytes)) || image.records+records > image.Base+image.MemorySize):
			t.Errorf("records at %#x overlap the image or leave its memory", image.records)
		case layout.Channel == MMIO && (image.records < Window || image.records+records > windowEnd):
			t.Errorf("records at %#x leave the window", image.records)
		}
	}
}

// The channels differ in where records go, and in nothing else.
func TestChannelsDifferInAddressesOnly(t *testing.T) {
	p := everything()
	memory, mmio := build(t, p, Layout{}), build(t, p, Layout{Channel: MMIO})
	if len(memory.Bytes) != len(mmio.Bytes) {
		t.Fatalf("%d and %d bytes", len(memory.Bytes), len(mmio.Bytes))
	}
	const immediate = 0xffff << 5
	for i := 0; i < len(memory.Bytes); i += 4 {
		a, b := binary.LittleEndian.Uint32(memory.Bytes[i:]), binary.LittleEndian.Uint32(mmio.Bytes[i:])
		toRecordRegister := a&31 == recordRegister && (a&^(immediate|31) == 0xd2800000 || a&^(immediate|31) == 0xf2a00000)
		if a != b && (!toRecordRegister || a&^immediate != b&^immediate) {
			t.Fatalf("offset %#x: %#08x and %#08x", i, a, b)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	nop := []uint32{wordNOP}
	for _, test := range []struct {
		name    string
		program *Program
		layout  Layout
		want    string
	}{
		{"base too low", &Program{}, Layout{Base: 0x1_0000}, "base 0x10000"},
		{"base too high", &Program{}, Layout{Base: 0x8000_0000}, "base 0x80000000"},
		{"base not aligned", &Program{}, Layout{Base: 0x4020_1000}, "multiple of 0x10000"},
		{"channel", &Program{}, Layout{Channel: 7}, "channel 7"},
		{"too long", &Program{Name: "p", Ops: []Op{{Kind: Execute, Name: "a", Words: make([]uint32, 1<<18)}}}, Layout{}, "reaches"},
		{"no room", everything(), Layout{Base: 0x7fff_0000, Channel: Memory}, "memory ends"},
		{"no name", &Program{Name: "p", Ops: []Op{{Kind: HVC}}}, Layout{}, "no name"},
		{"same name", &Program{Name: "p", Ops: []Op{{Kind: HVC, Name: "a"}, {Kind: SMC, Name: "a"}, {Kind: HVC, Name: "a"}}}, Layout{}, "operation 2 (hvc a): has the name of operation 0"},
		{"no words", &Program{Name: "p", Ops: []Op{{Kind: Execute, Name: "a"}}}, Layout{}, "no instructions"},
		{"five results", &Program{Name: "p", Ops: []Op{{Kind: Execute, Name: "a", Words: nop, Results: 5}}}, Layout{}, "5 results"},
		{"op0", &Program{Name: "p", Ops: []Op{{Kind: MRS, Name: "a", Register: arm64.Encoding{Op0: 1}}}}, Layout{}, "op0 is 1"},
		{"kind", &Program{Name: "p", Ops: []Op{{Kind: 9, Name: "a"}}}, Layout{}, "no known kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.program.Build(test.layout); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v; want one with %q", err, test.want)
			}
		})
	}
}

func TestProgramsAreSound(t *testing.T) {
	for _, test := range []struct {
		program *Program
		ops     int
	}{
		{FeatureSpace(), 193}, {Writes(), 192}, {Hardware(), 45}, {Instructions(), 199}, {everything(), 0},
	} {
		if err := test.program.Check(); err != nil {
			t.Error(err)
		}
		if test.ops != 0 && len(test.program.Ops) != test.ops {
			t.Errorf("%s has %d operations; want %d", test.program.Name, len(test.program.Ops), test.ops)
		}
	}
}

// store8 stores a word the way KVM_EXIT_MMIO hands it over.
func store8(t *testing.T, r *Run, address, value uint64) bool {
	t.Helper()
	done, err := r.Store(address, binary.LittleEndian.AppendUint64(nil, value))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// The records of every outcome, as a guest would store them through the
// window.
func TestRunOverMMIO(t *testing.T) {
	program := &Program{Name: "p", Ops: []Op{
		{Kind: MRS, Name: "a"},
		{Kind: SMC, Name: "b"},
		{Kind: Execute, Name: "c", Words: []uint32{wordNOP, wordNOP, wordNOP}},
		{Kind: HVC, Name: "d"},
		{Kind: Execute, Name: "e", Words: []uint32{wordNOP}},
		{Kind: Execute, Name: "f", Words: []uint32{wordNOP}},
		{Kind: Execute, Name: "g", Words: []uint32{wordNOP}, Results: 2},
	}}
	program.Ops[0].Register = regMIDR
	image := build(t, program, Layout{Channel: MMIO})
	r, err := image.NewRun(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) uint64 { return Window + uint64(i+1)*recordSize }
	exception := func(i int, vector, syndrome, ret, fault uint64) {
		store8(t, r, at(i)+recordReturn, ret)
		store8(t, r, at(i)+recordFault, fault)
		store8(t, r, at(i)+recordStatus, recordException|vector<<recordVectorShift|syndrome)
	}
	store8(t, r, at(-1)+recordValues, 2<<2)
	store8(t, r, at(-1)+recordStatus, recordCompleted)
	store8(t, r, at(0)+recordValues, 0x413fd0c1)
	store8(t, r, at(0)+recordStatus, recordCompleted)
	for v := range uint64(4) {
		store8(t, r, at(1)+recordValues+8*v, 10+v)
	}
	store8(t, r, at(1)+recordStatus, recordCompleted)
	exception(2, 4, 0x02000000, image.code[2]+8, 0x1234) // FAR means nothing here
	exception(3, recordEL2>>recordVectorShift|8, 0x5a000000, image.code[3]+4, 0)
	exception(4, 5, 0x96000021, image.code[4], 0)                                        // an IRQ leaves an old syndrome
	exception(5, 4, 0x96000021, image.code[5]+guardedAlias, 0x4020_2001)                 // in the alias
	store8(t, r, image.record(len(program.Ops))+recordStatus, recordException)           // nobody reads this
	if trace, err := r.Trace(); err == nil || !strings.Contains(err.Error(), "6 of 7") { // not yet at the end
		t.Errorf("trace %v and error %v of a guest that has not come to its end", trace, err)
	}
	if !store8(t, r, Doorbell, doorbellDone) {
		t.Error("the doorbell did not end the run")
	}
	trace, err := r.Trace()
	if err != nil {
		t.Fatal(err)
	}
	want := &Trace{Program: "p", EL: 2, Records: []Record{
		{Kind: MRS, Name: "a", Outcome: Completed, Values: [4]uint64{0x413fd0c1}, Count: 1},
		{Kind: SMC, Name: "b", Outcome: Completed, Values: [4]uint64{10, 11, 12, 13}, Count: 4},
		{Kind: Execute, Name: "c", Outcome: Exception, Syndrome: 0x02000000, Instruction: 2},
		{Kind: HVC, Name: "d", Outcome: Exception, Syndrome: 0x5a000000},
		{Kind: Execute, Name: "e", Outcome: Interrupted},
		{Kind: Execute, Name: "f", Outcome: Exception, Syndrome: 0x96000021, FaultAddress: 0x4020_2001},
		{Kind: Execute, Name: "g"},
	}}
	if diff := cmp.Diff(want, trace); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	if trace.Find(SMC, "b") != &trace.Records[1] || trace.Find(HVC, "b") != nil {
		t.Error("Find does not tell operations by kind and name")
	}
}

func TestRunErrors(t *testing.T) {
	image := build(t, FeatureSpace(), Layout{})
	if _, err := image.NewRun(make([]byte, image.MemorySize-1)); err == nil {
		t.Error("too little memory was taken")
	}
	r, err := image.NewRun(make([]byte, image.MemorySize))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		address uint64
		data    []byte
		want    string
	}{
		{"size", Doorbell, make([]byte, 4), "4 bytes"},
		{"elsewhere", 0x5000, make([]byte, 8), "0x5000"},
		{"window of the other channel", Window, make([]byte, 8), "no record"},
		{"no letter", Doorbell, make([]byte, 8), "want 'D' or 'F'"},
		{"fatal", Doorbell, []byte{'F', 0, 0, 0, 0, 0, 0, 0}, "exception handler, after 0 of 193"},
	} {
		if done, err := r.Store(test.address, test.data); done || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v; want an error with %q", test.name, done, err, test.want)
		}
	}
	mmio := build(t, FeatureSpace(), Layout{Channel: MMIO})
	if r, err = mmio.NewRun(nil); err != nil {
		t.Fatal(err)
	}
	for _, address := range []uint64{Window - 8, Window + 4, Window + 195*recordSize} {
		if _, err := r.Store(address, make([]byte, 8)); err == nil {
			t.Errorf("a store to %#x was taken", address)
		}
	}
	store8(t, r, Window+recordSize, 77)
	if _, err := r.Trace(); err == nil || !strings.Contains(err.Error(), "status 0x4d") {
		t.Errorf("a record with a status no image stores: %v", err)
	}
}
