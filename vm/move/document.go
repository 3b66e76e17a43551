package move

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/jsonread"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// Schema is that of a state document.
const Schema = "guise/vmstate/v1"

// Limits of a state that is read: what this package writes stays far below.
const (
	maxVCPUs        = 512
	maxRegisters    = 4096    // of a vCPU
	maxAllRegisters = 1 << 18 // of all vCPUs, and of the vGIC
	maxFilters      = 1 << 12
	maxMemorySize   = 64 << 20 // a vCPU's image has some 100 KiB
)

// stateDocument is a State in documents; members stand in alphabetical order.
type stateDocument struct {
	Captured occasionDocument `json:"captured,omitzero"`
	Contract jsontext.Value   `json:"contract"`
	Filters  []filterDocument `json:"filters,omitzero"`
	Host     hostDocument     `json:"host,omitzero"`
	Memory   []regionDocument `json:"memory"`
	Schema   string           `json:"schema"`
	VCPUs    []vcpuDocument   `json:"vcpus"`
	VGIC     []vgicDocument   `json:"vgic,omitzero"`
}

type occasionDocument struct {
	At string `json:"at,omitzero"`
	By string `json:"by,omitzero"`
}

type hostDocument struct {
	Emulator string `json:"emulator,omitzero"`
	Kernel   string `json:"kernel,omitzero"`
	Mode     string `json:"mode,omitzero"`
	PageSize int    `json:"pageSize,omitzero"`
}

type filterDocument struct {
	Action uint8  `json:"action"`
	Base   string `json:"base"`
	Count  uint32 `json:"count"`
}

// regionDocument holds memory, and its allocation tags, compressed with gzip.
type regionDocument struct {
	Base string `json:"base"`
	Data []byte `json:"data"`
	Size uint64 `json:"size"`
	Tags []byte `json:"tags,omitzero"`
}

type vcpuDocument struct {
	Events    string            `json:"events"`
	MPState   uint32            `json:"mpState"`
	Registers map[string]string `json:"registers"`
}

type vgicDocument struct {
	Attr  string `json:"attr"`
	Group uint32 `json:"group"`
	Value string `json:"value"`
}

func number(value uint64) string { return fmt.Sprintf("0x%016x", value) }

func parseNumber(what, text string) (uint64, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	value, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil || number(value) != text {
		return 0, fmt.Errorf("%s: %q: want 0x and 16 lower-case hex digits", what, text)
	}
	return value, nil
}

// parseBytes reads what hex.EncodeToString writes.
func parseBytes(what, text string) ([]byte, error) {
	value, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(value) != text {
		return nil, fmt.Errorf("%s: %q: want bytes in lower-case hex", what, text)
	}
	return value, nil
}

// maxPageSize is that of a host.
const maxPageSize = 1 << 16

func newHostDocument(facts *guise.HostFacts) hostDocument {
	return hostDocument{Emulator: facts.Emulator, Kernel: facts.Kernel, Mode: facts.Mode, PageSize: facts.PageSize}
}

func (d *hostDocument) facts() (guise.HostFacts, error) {
	if d.PageSize < 0 || d.PageSize > maxPageSize {
		return guise.HostFacts{}, fmt.Errorf("host: pageSize: %d; want 0 to %d", d.PageSize, maxPageSize)
	}
	return guise.HostFacts{Emulator: d.Emulator, Kernel: d.Kernel, Mode: d.Mode, PageSize: d.PageSize}, nil
}

// Marshal writes the state as a document; equal states give equal bytes.
func (s *State) Marshal() ([]byte, error) {
	d := stateDocument{
		Captured: occasionDocument{s.Made.At, s.Made.By},
		Contract: s.Contract.Marshal(),
		Host:     newHostDocument(&s.Host),
		Schema:   Schema,
	}
	for _, f := range s.Filters {
		d.Filters = append(d.Filters, filterDocument{f.Action, number(uint64(f.Base)), f.Count})
	}
	for _, region := range s.Memory {
		packed, err := compress(region.Data)
		if err != nil {
			return nil, err
		}
		document := regionDocument{Base: number(region.Base), Data: packed, Size: uint64(len(region.Data))}
		if region.Tags != nil {
			if document.Tags, err = compress(region.Tags); err != nil {
				return nil, err
			}
		}
		d.Memory = append(d.Memory, document)
	}
	for _, v := range s.VCPUs {
		registers := map[string]string{}
		for _, r := range v.Registers {
			registers[number(uint64(r.ID))] = hex.EncodeToString(r.Value)
		}
		d.VCPUs = append(d.VCPUs, vcpuDocument{hex.EncodeToString(v.Events), v.MPState, registers})
	}
	for _, r := range s.VGIC {
		d.VGIC = append(d.VGIC, vgicDocument{number(r.Attr), r.Group, number(r.Value)})
	}
	data, err := json.Marshal(&d, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(data, '\n'), err
}

func compress(data []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write(data)
	err = errors.Join(err, writer.Close())
	return packed.Bytes(), err
}

// ReadState reads a state. File names the document in errors, which are
// *guise.DocumentError.
func ReadState(file string, data []byte) (*State, error) {
	var d stateDocument
	if err := guise.CheckSize(file, data, Schema); err != nil {
		return nil, err
	}
	bounds := []*json.Unmarshalers{
		jsonread.List[vcpuDocument](maxVCPUs, "vCPUs"), jsonread.Map[string](maxAllRegisters, "registers"),
		jsonread.List[regionDocument](maxVCPUs, "regions of memory"), jsonread.List[filterDocument](maxFilters, "filters"),
		jsonread.List[vgicDocument](maxAllRegisters, "registers of the vGIC"),
	}
	if err := jsonread.Into(data, &d, bounds...); err != nil {
		return nil, guise.NewDocumentError(file, data, err)
	}
	s, err := d.state()
	if err != nil {
		return nil, &guise.DocumentError{File: file, Message: err.Error()}
	}
	return s, nil
}

func (d *stateDocument) state() (*State, error) {
	if d.Schema != Schema {
		return nil, fmt.Errorf("schema: want %s, there is %q", Schema, d.Schema)
	}
	// Lines of a part would be taken for the document's.
	contract, err := guise.ReadContract("contract", d.Contract)
	var inside *guise.DocumentError
	if errors.As(err, &inside) {
		return nil, fmt.Errorf("contract: %s", inside.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	s := &State{Made: guise.Occasion{At: d.Captured.At, By: d.Captured.By}, Contract: contract}
	if s.Host, err = d.Host.facts(); err != nil {
		return nil, err
	}
	if err := s.readFilters(d.Filters); err != nil {
		return nil, err
	}
	if err := s.readVCPUs(d.VCPUs); err != nil {
		return nil, err
	}
	for _, r := range d.VGIC {
		attr, err1 := parseNumber("vgic", r.Attr)
		value, err2 := parseNumber("vgic", r.Value)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		s.VGIC = append(s.VGIC, vm.VGICRegister{Group: r.Group, Attr: attr, Value: value})
	}
	return s, s.readMemory(d.Memory)
}

func (s *State) readFilters(filters []filterDocument) error {
	for _, f := range filters {
		base, err := parseNumber("filters", f.Base)
		if err != nil {
			return err
		}
		if base>>32 != 0 {
			return fmt.Errorf("filters: %s: a function identifier has 32 bits", f.Base)
		}
		if f.Action > kvmabi.FilterForwardToUser {
			return fmt.Errorf("filters: action %d: want 0 to %d", f.Action, kvmabi.FilterForwardToUser)
		}
		s.Filters = append(s.Filters, Filter{Base: uint32(base), Count: f.Count, Action: f.Action})
	}
	return nil
}

func (s *State) readVCPUs(vcpus []vcpuDocument) error {
	if len(vcpus) == 0 || len(vcpus) > maxVCPUs {
		return fmt.Errorf("vcpus: %d; want 1 to %d", len(vcpus), maxVCPUs)
	}
	for i, v := range vcpus {
		events, err := parseBytes("events", v.Events)
		if err != nil {
			return fmt.Errorf("vCPU %d: %w", i, err)
		}
		if len(v.Registers) > maxRegisters {
			return fmt.Errorf("vCPU %d: %d registers; want at most %d", i, len(v.Registers), maxRegisters)
		}
		vcpu := VCPU{Events: events, MPState: v.MPState}
		for name, text := range v.Registers {
			id, err := parseNumber("registers", name)
			if err != nil {
				return fmt.Errorf("vCPU %d: %w", i, err)
			}
			value, err := parseBytes(name, text)
			if err != nil || len(value) != arm64.ID(id).Size() {
				return fmt.Errorf("vCPU %d: register %s: %q: want %d bytes in hex", i, name, text, arm64.ID(id).Size())
			}
			vcpu.Registers = append(vcpu.Registers, Register{arm64.ID(id), value})
		}
		sortRegisters(vcpu.Registers)
		s.VCPUs = append(s.VCPUs, vcpu)
	}
	return nil
}

func (s *State) readMemory(regions []regionDocument) error {
	if len(regions) != len(s.VCPUs) {
		return fmt.Errorf("memory: %d regions for %d vCPUs; each has one", len(regions), len(s.VCPUs))
	}
	total := uint64(0)
	for i, region := range regions {
		base, err := parseNumber("memory", region.Base)
		if err != nil {
			return err
		}
		if want := travellerBase + uint64(i)*travellerStride; base != want {
			return fmt.Errorf("memory: region %d is at %#x; want %#x", i, base, want)
		}
		if total += region.Size; region.Size > travellerStride || total > maxMemorySize {
			return fmt.Errorf("memory: region %d has %d bytes; want at most %d", i, region.Size, travellerStride)
		}
		read := Region{Base: base}
		if read.Data, err = expand(region.Data, region.Size); err != nil {
			return fmt.Errorf("memory: region %d: data: %w", i, err)
		}
		if tagged := s.Contract.Setup.Has(guise.FeatureMTE); tagged != (region.Tags != nil) {
			return fmt.Errorf("memory: region %d: want tags where the contract's setup has %s, and only there", i, guise.FeatureMTE)
		}
		if region.Tags != nil {
			if read.Tags, err = expand(region.Tags, region.Size/tagGranule); err != nil {
				return fmt.Errorf("memory: region %d: tags: %w", i, err)
			}
		}
		s.Memory = append(s.Memory, read)
	}
	return nil
}

// expand undoes compress, for data that must have size bytes.
func expand(packed []byte, size uint64) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	_, err = io.ReadFull(reader, data)
	if err == nil {
		var more int
		if more, err = reader.Read(make([]byte, 1)); more == 0 && err == io.EOF {
			return data, nil
		}
	}
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("it does not have the %d bytes it says", size)
	}
	return nil, err
}
