package arm64

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// drawHost draws a host of any known version and CPU model.
func drawHost(t *rapid.T) *Host {
	version := rapid.SampledFrom(kernel.Known).Draw(t, "version")
	cpu := rapid.SampledFrom(CPUModels()).Draw(t, "cpu")
	host, err := Open(version.String() + "/" + cpu)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// drawValue draws a value for a register: the present one with some fields
// changed.
func drawValue(t *rapid.T, place int, value uint64) uint64 {
	register := &arm64.Registers[place]
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		field := &register.Fields[rapid.IntRange(0, len(register.Fields)-1).Draw(t, "field")]
		value = field.Put(value, rapid.Uint64Range(0, 1<<min(field.Width, 63)-1).Draw(t, "value"))
	}
	return value
}

var featurePlaces = func() []int {
	var places []int
	for place, class := range classes() {
		if class == classFeature && len(arm64.Registers[place].Fields) > 0 {
			places = append(places, place)
		}
	}
	return places
}()

// TestAcceptanceIgnoresThePresent: before the first run, whether a value is taken
// does not depend on what was written before it.
func TestAcceptanceIgnoresThePresent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		setup := guise.Setup{}
		used, err := host.newVM(&setup, 1)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 8).Draw(t, "writes") {
			place := rapid.SampledFrom(featurePlaces).Draw(t, "place")
			used.setFeature(place, drawValue(t, place, used.values[place]))
		}
		fresh, _ := host.newVM(&setup, 1)
		place := rapid.SampledFrom(featurePlaces).Draw(t, "place")
		value := drawValue(t, place, fresh.values[place])
		if a, b := used.setFeature(place, value), fresh.setFeature(place, value); a != b {
			t.Fatalf("%s: %s = %#x: %v in a VM that was written to, %v in a new one", host, arm64.Registers[place].Name, value, a, b)
		}
		if used.values[place] != fresh.values[place] && used.setFeature(place, value) == 0 {
			t.Fatalf("%s: %s holds %#x and %#x", host, arm64.Registers[place].Name, used.values[place], fresh.values[place])
		}
	})
}

// TestOffersAreTakenAndShown: whatever the contract side derives as an offer, the
// model takes, holds and shows its guest, or shows it where nobody writes; and nothing
// beside it is so.
func TestOffersAreTakenAndShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		setup := guise.Setup{VGIC: rapid.SampledFrom([]int{0, 3}).Draw(t, "vgic")}
		m, err := host.newVM(&setup, 1)
		if err != nil {
			t.Fatal(err)
		}
		view := m.view // as a capture of the setup reads it, vGIC made
		view.Values = m.values
		offers := host.profile.Offers(&view, m.kvm)
		place := rapid.SampledFrom(featurePlaces).Draw(t, "place")
		first, end := arm64.SlotsOf(place)
		if first == end {
			return
		}
		slot := rapid.IntRange(first, end-1).Draw(t, "slot")
		_, field := arm64.Slots[slot].Describe()
		value := rapid.Uint64Range(0, 1<<field.Width-1).Draw(t, "value")
		alone, err := host.newVM(&setup, 1)
		if err != nil {
			t.Fatal(err)
		}
		alone.enter(&alone.vcpus[0])
		errno := m.setFeature(place, field.Put(m.values[place], value))
		m.enter(&m.vcpus[0])
		shown := field.Get(m.values[place])
		if got, want := errno == 0 && shown == value || field.Get(alone.values[place]) == value, offers.Set(slot).Has(value); got != want {
			t.Fatalf("%s, vgic %d: %s = %d: errno %v, shown %d; offers %v", host, setup.VGIC, arm64.Slots[slot].Name(), value, errno, shown, offers.Set(slot))
		}
	})
}

// TestAfterARunOnlyEqualsAreTaken, where the version freezes.
func TestAfterARunOnlyEqualsAreTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		setup := guise.Setup{}
		m, err := host.newVM(&setup, 1)
		if err != nil {
			t.Fatal(err)
		}
		m.enter(&m.vcpus[0])
		place := rapid.SampledFrom(featurePlaces).Draw(t, "place")
		before := m.values[place]
		errno := m.setFeature(place, drawValue(t, place, before))
		if host.profile.Frozen(place) && m.values[place] != before {
			t.Fatalf("%s: %s changed after the run, errno %v", host, arm64.Registers[place].Name, errno)
		}
	})
}

func FuzzParseMachine(f *testing.F) {
	f.Add("MIDR_EL1 0x411fd402\nVECTOR_LENGTHS 0x3 # two")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := ParseMachine("fuzz", text); (m == nil) == (err == nil) {
			t.Errorf("%q gives %v and %v", text, m, err)
		}
	})
}

func FuzzParseOverrides(f *testing.F) {
	f.Add("quiet arm64.nosve id_aa64pfr0.sve=0 kvm-arm.mode=nested")
	f.Fuzz(func(t *testing.T, text string) {
		overrides, _, err := ParseOverrides(text)
		if err != nil && overrides != nil {
			t.Errorf("%q gives both %v and %v", text, overrides, err)
		}
	})
}
