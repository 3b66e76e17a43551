package interop

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/jsonread"
	"github.com/guise-project/guise/isa/arm64"
)

// template is a custom CPU template of Firecracker for arm64 (its
// docs/cpu_templates/schema.json).
type template struct {
	KVMCapabilities []string       `json:"kvm_capabilities"`
	VCPUFeatures    []vcpuFeatures `json:"vcpu_features"`
	RegModifiers    []regModifier  `json:"reg_modifiers"`
}

// Template is what a custom CPU template of Firecracker asks for.
type Template struct {
	// Policy forces every field that the template writes.
	Policy *guise.Policy
	// With and Without are vCPU features that the template adds and takes away.
	With, Without []guise.Feature
	// Capabilities are those that Firecracker is told to look for, or with ! not to:
	// numbers of KVM_CAP_*. They say nothing of what a guest sees.
	Capabilities []string
}

// IsTemplate reports whether a document looks like a template, and not like a
// fingerprint, which holds one.
func IsTemplate(data []byte) bool {
	has := func(name string) bool { return bytes.Contains(data, []byte(`"`+name+`"`)) }
	return !has("guest_cpu_config") && (has("reg_modifiers") || has("vcpu_features") || has("kvm_capabilities"))
}

// ImportFirecrackerTemplate reads a custom CPU template of Firecracker. A template
// writes bits, a policy fields: one that writes a part of a field, or bits that no
// field has to other than 0, is refused. File names the document in errors, which
// are *guise.DocumentError.
func ImportFirecrackerTemplate(file string, data []byte) (*Template, error) {
	if err := guise.CheckSize(file, data, guise.KindFingerprint); err != nil {
		return nil, err
	}
	var raw template
	bounds := []*json.Unmarshalers{
		jsonread.List[regModifier](maxModifiers, "reg_modifiers"), jsonread.List[vcpuFeatures](maxModifiers, "vcpu_features"),
		jsonread.List[string](maxModifiers, "kvm_capabilities"),
	}
	if err := jsonread.Into(data, &raw, bounds...); err != nil {
		return nil, guise.NewDocumentError(file, data, err)
	}
	t := &Template{Policy: &guise.Policy{Force: map[string]uint64{}}, Capabilities: raw.KVMCapabilities}
	for _, m := range raw.RegModifiers {
		if err := t.force(m); err != nil {
			return nil, &guise.DocumentError{File: file, Message: err.Error()}
		}
	}
	for _, word := range raw.VCPUFeatures {
		if err := t.features(word); err != nil {
			return nil, &guise.DocumentError{File: file, Message: err.Error()}
		}
	}
	if len(t.Policy.Force) == 0 {
		t.Policy.Force = nil
	}
	if err := t.Policy.Invalid(); err != nil {
		return nil, &guise.DocumentError{File: file, Message: err.Error()}
	}
	return t, nil
}

// force takes over what a template writes of one register.
func (t *Template) force(m regModifier) error {
	id, value, err := parseModifier(m.Address, m.Bitmap)
	if err != nil {
		return err
	}
	_, keep, err := parseBitmap(m.Bitmap, id.Size()*8)
	if err != nil {
		return err
	}
	digits := len(strings.ReplaceAll(strings.TrimPrefix(m.Bitmap, "0b"), "_", ""))
	writes := ^keep
	if digits < 64 {
		writes &= 1<<digits - 1 // what is not written down is kept
	}
	place, known := arm64.PlaceOf(id)
	if !known {
		return fmt.Errorf("%v: is no register of the guest's view; a policy says nothing of it", id)
	}
	register := &arm64.Registers[place]
	for i := range register.Fields {
		field := &register.Fields[i]
		name := register.Name + "." + field.Name
		switch written := writes & field.Mask(); {
		case written == 0:
			continue
		case written != field.Mask():
			return fmt.Errorf("%s: the template writes bits %#x of it and keeps the others; a policy is about whole fields", name, written)
		}
		if _, twice := t.Policy.Force[name]; twice {
			return fmt.Errorf("%v: stands in the template twice", id)
		}
		t.Policy.Force[name] = field.Get(value)
		writes &^= field.Mask()
	}
	if rest := value & writes; rest != 0 {
		return fmt.Errorf("%s: the template sets bits %#x, which are no field's", register.Name, rest)
	}
	return nil
}

// features takes over what a template says of one word of kvm_vcpu_init.features.
func (t *Template) features(word vcpuFeatures) error {
	value, keep, err := parseBitmap(word.Bitmap, 32)
	if err != nil {
		return fmt.Errorf("vcpu_features: %w", err)
	}
	if word.Index != 0 {
		return errors.New("vcpu_features: want word 0; KVM has no feature beyond it")
	}
	digits := len(strings.ReplaceAll(strings.TrimPrefix(word.Bitmap, "0b"), "_", ""))
	for bit := range min(digits, 32) {
		feature, known := featureBits[bit]
		switch {
		case !known || keep>>bit&1 != 0:
		case value>>bit&1 != 0:
			t.With = append(t.With, feature)
		default:
			t.Without = append(t.Without, feature)
		}
	}
	slices.Sort(t.With)
	slices.Sort(t.Without)
	t.With, t.Without = slices.Compact(t.With), slices.Compact(t.Without)
	return nil
}
