package main

import (
	"maps"
	"slices"

	"github.com/guise-project/guise"
)

// commandAnswers are the schemas of what commands print with --json, where that is
// no document of its own, by the command's name. A test of cmd/guise runs every
// command and holds its answer against its schema.
func commandAnswers() map[string]object {
	return map[string]object{
		"baseline":      baselineAnswer(),
		"catalog":       answer("The built-in captures.", list(catalogEntry())),
		"check":         answer("Of each host, whether it takes the contract.", list(hostVerdict())),
		"diff":          diffAnswer(),
		"explain":       answer("What registers mean.", list(explained())),
		"forecast":      forecastAnswer(),
		"kernels":       kernelsAnswer(),
		"lab-matrix":    answer("What each lab host answered.", list(matrixCell())),
		"lint":          answer("Of each file, whether it is well-formed.", list(lintedFile())),
		"model-changes": answer("The change log between two kernels.", list(change())),
		"model-compare": comparison(),
		"model-nested":  answer("What becomes of a nested guest under each generation.", list(nestedPlay())),
		"model-run":     answer("What became of each scenario on each host.", list(outcome())),
		"model-test":    answer("What became of each scenario on each host.", list(outcome())),
		"moves":         movesAnswer(),
		"pools":         poolsAnswer(),
		"silicon":       answer("Machines by their registers.", list(siliconMachine())),
	}
}

func answer(description string, body object) object {
	return document("guise answer", description, body)
}

// members is a closed object all of whose members are there, but for the optional
// ones.
func members(all object, optional ...string) object {
	var required []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	return closed(all, required...)
}

// Short forms of what answers are made of.
var (
	words    = object{"type": "string"}
	hex      = matching("0x(?:0|[1-9a-f][0-9a-f]*)")
	kvmID    = described(hex64, "KVM's id of a register")
	count    = object{"type": "integer", "minimum": 0}
	setupKey = described(matching(`[a-z0-9+]+/vgic[023]|any`), "a setup, told apart from every other of its host")
	version  = matching(`[0-9]+\.[0-9]+(?:\.[0-9]+)?`)
	names    = list(name)
	people   = described(words, "for people; programs need nothing of it")
	lines    = described(list(words), "for people; programs need nothing of it")
	interval = described(words, "a set of values as documents write it: 0-2,8")
)

// typedValue is a value in the notation of its kind.
func typedValue() object {
	return described(object{"anyOf": []object{
		described(hex, "a register, or a field of more than four bits"),
		described(count, "a field of up to four bits, or a size"),
		described(matching(`[0-9]+\.[0-9]+`), "a version, or a level of the architecture"),
		described(list(integer(128, 2048)), "SVE vector lengths in bits"),
	}}, "a value, by its kind")
}

// valued adds the members of a value to others; one of them at most is there.
func valued(others object, optional ...string) object {
	all := maps.Clone(others)
	maps.Copy(all, object{
		"value":  typedValue(),
		"state":  described(oneOfWords(guise.States...), "what stands in place of a value"),
		"setups": described(list(setupKey), "setups of a host"),
		"text":   described(words, "a word of POWER's, or what a policy asks for"),
	})
	return members(all, append(optional, "value", "state", "setups", "text")...)
}

func hostValue() object {
	return valued(object{"host": name, "takes": interval}, "takes")
}

func remedy() object {
	codes := slices.Sorted(maps.Keys(guise.RemedyCodes))
	return described(members(object{
		"code":    oneOfWords(codes...),
		"objects": described(names, "hosts, fields, or a capability and a version; none for all hosts"),
	}), "what would mend it")
}

func findingOfAnswer() object {
	return members(object{
		"verdict":  verdict(),
		"kind":     name,
		"register": name,
		"field":    name,
		"wanted":   described(valued(object{}), "what was asked for"),
		"hosts":    described(list(hostValue()), "the smallest set of hosts that shows it"),
		"who":      people,
		"means":    people,
		"mend":     remedy(),
		"restsOn":  people,
	}, "field", "wanted", "who", "means", "mend", "restsOn")
}

func hostVerdict() object {
	return members(object{
		"host": name, "verdict": verdict(), "findings": list(findingOfAnswer()), "restsOn": lines,
		"moves": described(list(moveMade()), "those from the host, where a VMM was named"),
	}, "moves")
}

func baselineAnswer() object {
	return answer("Whether hosts have a contract.", members(object{
		"verdict":        verdict(),
		"setup":          setupKey,
		"contractDigest": described(words, "of the contract; there where the verdict is yes"),
		"findings":       described(list(findingOfAnswer()), "why not, or why it is not known"),
		"settled":        described(list(valued(object{"register": name, "field": name, "hosts": list(hostValue())}, "field")), "fields that hosts show differently, with their common value"),
		"givesUp":        described(object{"type": "object", "additionalProperties": count}, "by host, in how many fields the contract shows less"),
		"restsOn":        lines,
		"notKnown":       lines,
		"notes":          lines,
	}, "setup", "contractDigest"))
}

func poolsAnswer() object {
	byHost := described(object{"type": "object", "additionalProperties": list(name)}, "FEAT_ names, by host")
	pool := members(object{"hosts": names, "setup": setupKey, "contractDigest": words, "givesUp": byHost})
	return answer("Which hosts can be one pool.", members(object{
		"rungs":         described(list(members(object{"pools": list(pool), "gains": byHost})), "ways to divide the hosts, the fewest pools first"),
		"exact":         described(boolean, "no way has fewer pools than the first rung"),
		"bound":         described(count, "below so many pools nothing works"),
		"distinctViews": count,
		"alone":         described(list(hostVerdict()), "hosts that have no certain contract even by themselves"),
		"parted":        described(list(moveMade()), "moves that do not leave a guest with what it saw, for which pools were divided; where a VMM was named"),
	}, "parted"))
}

func diffAnswer() object {
	difference := members(object{
		"register": name, "field": name, "a": valued(object{}), "b": valued(object{}),
		"more": described(oneOfWords("a", "b"), "which gives a guest more"), "who": people, "means": people,
	}, "field", "more", "who", "means")
	capability := members(object{"name": name, "a": object{"type": "integer"}, "b": object{"type": "integer"}})
	return answer("How two hosts differ.", members(object{
		"same":          boolean,
		"setup":         setupKey,
		"differences":   list(difference),
		"listedOnlyByA": list(kvmID),
		"listedOnlyByB": list(kvmID),
		"capabilities":  described(list(capability), "what KVM_CHECK_EXTENSION answers differently"),
		"aToB":          described(hostVerdict(), "whether a VM that uses everything of A can move to B"),
		"bToA":          hostVerdict(),
		"notKnown":      lines,
	}))
}

func catalogEntry() object {
	return members(object{
		"name": name, "kernel": words, "source": words, "setups": list(setupKey),
		"accepts":       described(oneOfWords(string(guise.Tried), string(guise.Assumed), string(guise.Imported), "not known"), "how it is known what the host takes"),
		"assumedKernel": version,
	}, "assumedKernel")
}

func explained() object {
	field := members(object{
		"name": name, "bits": matching(`[0-9]+(?::[0-9]+)?|-`), "value": typedValue(), "meaning": people,
		"features": described(names, "FEAT_ names that the value shows"), "takes": interval, "note": people,
		"other": described(typedValue(), "the value that a message gives beside"), "otherMeaning": people,
	}, "meaning", "features", "takes", "note", "other", "otherMeaning")
	condition := members(object{"field": name, "is": oneOfWords("at least", "equal to", "below"), "value": typedValue(), "meaning": people}, "meaning")
	feature := members(object{
		"shownBy": described(list(list(condition)), "alternatives: all conditions of one hold"),
		"implies": names, "impliedBy": names, "madeWith": list(oneOfWords(guise.Features...)),
	})
	return members(object{
		"name": words, "value": typedValue(), "meaning": people, "fields": list(field),
		"encoding": name, "kvmId": kvmID, "other": described(typedValue(), "the value that a message gives beside"),
		"errno": matching("E[A-Z0-9]+"), "reasons": list(members(object{"text": people, "when": people}, "when")), "note": people,
		"feature": feature,
	}, "value", "meaning", "encoding", "kvmId", "other", "errno", "reasons", "note", "feature")
}

func forecastAnswer() object {
	field := members(object{
		"register": name, "field": name, "now": typedValue(),
		"then":     described(typedValue(), "not there where it is not known"),
		"possible": interval, "known": boolean,
		"moves":     described(verdict(), "whether a VM moves there"),
		"movesBack": verdict(),
	}, "field", "then", "possible")
	setup := members(object{
		"setup": setupKey, "made": described(verdict(), "whether the kernel makes such VMs"), "fields": list(field),
		"noLongerListed": list(kvmID), "newlyListed": list(kvmID),
	})
	forecast := members(object{"host": name, "from": version, "to": version, "setups": list(setup), "unsettledEntries": count})
	return answer("What a host shows under another kernel; of several kernels a list.", object{"anyOf": []object{forecast, list(forecast)}})
}

func lintedFile() object {
	return members(object{
		"file": words, "schema": words, "wellFormed": boolean, "error": people,
		"notKnown": described(list(oneOfWords(guise.Features...)), "features that a capture says nothing of"),
		"warnings": described(list(members(object{"host": name, "setup": setupKey, "name": name, "value": typedValue(), "reason": people}, "host")),
			"what no KVM gives a guest"),
	}, "schema", "error", "notKnown", "warnings")
}

func matrixCell() object {
	return members(object{
		"kernel": words, "cpu": words, "release": words, "qemu": words, "status": described(count, "the exit status"), "stdout": words, "stderr": words,
		"error": people, "notKept": described(count, "bytes of stdout and stderr"), "seconds": object{"type": "number", "minimum": 0}, "restored": boolean,
	}, "release", "qemu", "error", "notKept")
}

func change() object {
	return members(object{"when": words, "subject": words, "text": people, "settled": described(boolean, "false where it is not known whether one of the two has it"),
		"sourceOnly": described(boolean, "true where no CPU of the lab has what the entry is about")}, "subject", "sourceOnly")
}

func kernelsAnswer() object {
	basis := object{"enum": []string{"booted", "source", "bracket"}, "description": "the best of how the series is known"}
	point := members(object{"release": version, "exact": described(boolean, "false where it is not known with which release they came, up to this one"), "changes": list(change())})
	release := members(object{
		"release": version, "basis": basis, "booted": list(version), "source": described(list(words), "point releases, and runs of them, whose source was read"),
		"points": described(list(point), "the point releases that change something"),
		"open":   described(list(change()), "entries of which it is not known whether some point release has them"),
	})
	vendor := members(object{
		"name": words, "marks": described(list(words), "parts of uname -r"), "rebased": described(boolean, "it only begins with the release that it names"), "known": people,
	}, "known")
	return answer("What is known of releases of Linux.", members(object{"releases": list(release), "vendors": list(vendor)}))
}

func siliconMachine() object {
	reading := members(object{
		"register": name, "value": hex, "known": described(hex, "the mask of the bits that are known"),
		"how":    object{"enum": []string{"hardware", "manual", "decoded"}, "description": "manual: or a model that follows it; decoded: from a list of features"},
		"source": words, "view": described(words, "how it was read"), "note": people,
	}, "view", "note")
	core := members(object{
		"part": words, "midr": hex, "count": described(count, "left out where it is not known"), "vectorLengths": described(list(integer(128, 2048)), "of SVE, in bits"),
		"note": people, "registers": list(reading),
	}, "count", "note")
	return members(object{"name": name, "products": list(words), "note": people, "cores": described(list(core), "each kind once, that of the boot CPU first")}, "note")
}

// moveMade is what comes of one move.
func moveMade() object {
	outcome := object{"enum": []string{"same", "moves", "unknown", "refused"}, "description": "moves: the VM moves, and its guest then sees a change"}
	vmm := described(matching(`qemu(?:@[0-9]+\.[0-9]+(?:\.[0-9]+)?)?|firecracker|guise`), "the VMM that moves; where any was asked for the one with the worst outcome")
	point := members(object{
		"outcome": outcome, "side": described(object{"enum": []string{"source", "target"}}, "the host that refuses or shows it"), "register": name, "field": name,
		"carried": described(valued(object{}), "what the state has"), "there": described(valued(object{}), "what the target shows a VM of its own"),
		"seen": described(valued(object{}), "what the guest then sees"), "errno": object{"enum": []string{"EINVAL", "ENOENT"}}, "means": people,
	}, "field", "carried", "there", "seen", "errno", "means")
	return members(object{"from": name, "to": name, "vmm": vmm, "setup": setupKey, "outcome": outcome, "points": described(list(point), "the worst first")})
}

func movesAnswer() object {
	return answer("What comes of moves between hosts.", members(object{
		"vmm": described(words, "the VMM that was asked for"), "contract": described(words, "the contract of the VM; without one it was given what its host shows"), "moves": list(moveMade()),
	}, "contract"))
}

func comparison() object {
	disagreement := members(object{"suite": name, "setup": words, "scenario": words, "kernel": words, "model": words})
	return answer("What the kernel and the model answer differently.", members(object{
		"kernel": words, "model": words, "seed": count, "comparisons": object{"type": "object", "additionalProperties": count},
		"differing": count, "disagreements": list(disagreement), "notModelled": count, "sequences": count, "operations": count,
	}))
}

func outcome() object {
	failure := members(object{"line": count, "text": words, "want": words, "got": words})
	got := members(object{"kernel": described(words, "the first that gives it"), "words": list(words)})
	open := members(object{"line": count, "text": words, "want": words, "got": list(got)})
	return members(object{
		"script": words, "host": words, "checked": count, "passed": count, "left": count, "failures": list(failure),
		"notSettled": described(list(open), "lines that depend on which kernel the host's version is"), "skipped": people,
	}, "skipped", "notSettled")
}

func nestedPlay() object {
	state := object{"type": "object", "additionalProperties": hex64}
	moment := members(object{
		"action": words, "did": words, "r3": object{"type": "integer"}, "vector": hex64, "answer": words, "rests_on": people, "loaded": hex64,
		"real": state, "hv_guest_state": state, "msr": hex64, "breaks": list(members(object{"invariant": words, "how": people})),
	}, "r3", "vector", "answer", "rests_on", "real", "breaks")
	return members(object{"generation": words, "rules": words, "basis": words, "permitted": hex64, "emulated": hex64, "moments": list(moment)}, "basis")
}
