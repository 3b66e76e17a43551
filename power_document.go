package guise

import (
	"slices"

	isapower "github.com/guise-project/guise/isa/power"
)

// members writes what was captured of a POWER host.
func (p *PowerHost) members() members {
	m := members{"pvr": hexText(uint64(p.PVR), 32)}
	if c := &p.Characteristics; *c != (isapower.Characteristics{}) {
		m["characteristics"] = members{
			"character": hexText(c.Character, 64), "characterMask": hexText(c.CharacterMask, 64),
			"behaviour": hexText(c.Behaviour, 64), "behaviourMask": hexText(c.BehaviourMask, 64),
		}
	}
	if len(p.Levels) > 0 {
		levels := members{}
		for level, taken := range p.Levels {
			levels[level.String()] = taken
		}
		m["levels"] = levels
	}
	if len(p.Tried) > 0 {
		tried := members{}
		for name, taken := range p.Tried {
			tried[name] = taken
		}
		m["tried"] = tried
	}
	if len(p.Facilities) > 0 {
		m["facilities"] = facilityMembers(p.Facilities)
	}
	return m
}

func facilityMembers(facilities map[string]FacilitySight) members {
	m := members{}
	for name, sight := range facilities {
		m[name] = members{"off": string(sight.Off), "on": string(sight.On)}
	}
	return m
}

// powerHost reads what was captured of a POWER host.
func (r *documentReader) powerHost() *PowerHost {
	r.spend(roomOfPower)
	p := &PowerHost{}
	pvr := false
	at := r.start
	r.object("power", func(key []byte) {
		switch string(key) {
		case "pvr":
			p.PVR = uint32(r.hexadecimal("pvr", 32))
			pvr = true
		case "characteristics":
			p.Characteristics = r.characteristics()
		case "levels":
			p.Levels = map[isapower.Level]bool{}
			r.object("levels", func(name []byte) {
				if level := r.powerLevel(name); level != 0 {
					p.Levels[level] = r.boolean("levels")
				}
			})
		case "tried":
			p.Tried = map[string]bool{}
			r.object("tried", func(name []byte) {
				trial := string(name)
				if trial != isapower.TriedLargeDecrementer {
					r.unknownKey(name, "tried")
					return
				}
				p.Tried[trial] = r.boolean(trial)
			})
		case "facilities":
			p.Facilities = r.facilitySights()
		default:
			r.unknownKey(key, "power")
		}
	})
	if !pvr {
		r.failAt(at, "power: has no pvr")
	}
	return p
}

func (r *documentReader) characteristics() (c isapower.Characteristics) {
	words := map[string]*uint64{
		"character": &c.Character, "behaviour": &c.Behaviour, "characterMask": &c.CharacterMask, "behaviourMask": &c.BehaviourMask,
	}
	seen, at := 0, r.start
	r.object("characteristics", func(key []byte) {
		word, ok := words[string(key)]
		if !ok {
			r.unknownKey(key, "characteristics")
			return
		}
		*word = r.hexadecimal(string(key), 64)
		seen++
	})
	if seen < len(words) {
		r.failAt(at, "characteristics: want character, characterMask, behaviour and behaviourMask")
	}
	return c
}

// powerLevel finds a level of the architecture by its name, 0 for none.
func (r *documentReader) powerLevel(name []byte) isapower.Level {
	level, err := isapower.ParseLevel(string(name))
	if err != nil {
		r.fail("%v", err)
	}
	return level
}

// facility returns the name of a facility of HFSCR.
func (r *documentReader) facility(name []byte) string {
	f, ok := isapower.FacilityNamed(string(name))
	if !ok || !f.HFSCR {
		r.fail("facilities: %q has no bit in HFSCR", name)
		return ""
	}
	return f.Name
}

func (r *documentReader) facilitySights() map[string]FacilitySight {
	r.spend(roomOfPower)
	sights := map[string]FacilitySight{}
	r.object("facilities", func(name []byte) {
		facility := r.facility(name)
		if facility == "" {
			return
		}
		var sight FacilitySight
		at := r.start
		r.object(facility, func(key []byte) {
			switch string(key) {
			case "off":
				sight.Off = r.facilityOutcome("off")
			case "on":
				sight.On = r.facilityOutcome("on")
			default:
				r.unknownKey(key, facility)
			}
		})
		if sight.Off == "" || sight.On == "" {
			r.failAt(at, "%s: want what was met with its bit off and on", facility)
		}
		sights[facility] = sight
	})
	return sights
}

func (r *documentReader) facilityOutcome(what string) FacilityOutcome {
	outcome := FacilityOutcome(r.text(what))
	if r.err == nil && !slices.Contains(FacilityOutcomes, outcome) {
		r.fail("%s: want one of %v, there is %q", what, FacilityOutcomes, outcome)
	}
	return outcome
}

// oneArchitecture refuses a view with members of two architectures. arm64 says
// that there were some that only arm64 has.
func (r *documentReader) oneArchitecture(power bool) {
	if power && r.arm64 {
		r.fail("power: stands beside what only documents of arm64 have")
	}
	r.arm64 = false
}

// members writes the contract of a POWER VM.
func (p *PowerContract) members() members {
	capabilities := members{}
	for name, value := range p.Capabilities {
		capabilities[name] = value
	}
	facilities := []string{}
	for i := range isapower.Facilities {
		if f := &isapower.Facilities[i]; p.HFSCR&f.Mask() != 0 {
			facilities = append(facilities, f.Name)
		}
	}
	return members{
		"level": p.Level.String(), "capabilities": capabilities, "facilities": facilities,
		"character": hexText(p.Character, 64), "behaviour": hexText(p.Behaviour, 64),
	}
}

// powerContract reads the contract of a POWER VM, of which nothing may be left
// out: a contract is complete.
func (r *documentReader) powerContract() *PowerContract {
	p := &PowerContract{Capabilities: map[string]string{}}
	seen, at := map[string]bool{}, r.start
	r.object("power", func(key []byte) {
		what := string(key)
		seen[what] = true
		switch what {
		case "level":
			name := r.text(what)
			if r.err == nil {
				p.Level = r.powerLevel(name)
			}
		case "capabilities":
			r.object(what, func(name []byte) { r.orderedCapability(p, name) })
		case "facilities":
			r.list(what, func() {
				name := r.text(what)
				if r.err != nil {
					return
				}
				f, ok := isapower.FacilityNamed(r.facility(name))
				if ok && p.HFSCR&f.Mask() != 0 {
					r.fail("facilities: %s stands here twice", f.Name)
				}
				if ok {
					p.HFSCR |= f.Mask()
				}
			})
		case "character":
			p.Character = r.hexadecimal(what, 64)
		case "behaviour":
			p.Behaviour = r.hexadecimal(what, 64)
		default:
			r.unknownKey(key, "power")
		}
	})
	for _, member := range []string{"level", "capabilities", "facilities", "character", "behaviour"} {
		if !seen[member] {
			r.failAt(at, "power: has no %s", member)
		}
	}
	for i := range isapower.Capabilities {
		if name := isapower.Capabilities[i].Name; p.Capabilities[name] == "" {
			r.failAt(at, "capabilities: %s has no value", name)
		}
	}
	return p
}

func (r *documentReader) orderedCapability(p *PowerContract, name []byte) {
	o, ok := isapower.CapabilityNamed(string(name))
	if !ok {
		r.unknownKey(name, "capabilities")
		return
	}
	value := string(r.text(o.Name))
	if _, ok := o.ValueNamed(value); r.err == nil && !ok {
		r.fail("%s: want one of %v, there is %q", o.Name, o.Values, value)
	}
	p.Capabilities[o.Name] = value
}
