package main

import (
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/kvmabi"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// What the documents that are carried between hosts are made of.
var (
	anyInteger = object{"type": "integer"}
	anyText    = object{"type": "string"}
	uint32s    = integer(0, 1<<32-1)
	hexBytes   = matching("(?:[0-9a-f]{2})*")
	base64     = matching("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
	// shortNumber is a value without leading zeros.
	shortNumber = "0x(?:0|[1-9a-f][0-9a-f]{0,15})"
	contractRef = object{"$ref": "contract.json"}
)

// carriedHost is what a state tells of a host.
func carriedHost() object {
	return described(closed(object{
		"emulator": anyText, "kernel": anyText, "mode": anyText, "pageSize": integer(0, 1<<16),
	}), "the host, as captures have it")
}

func state() object {
	return document("guise VM state", "A VM between two hosts.", closed(object{
		"schema":   object{"const": move.Schema},
		"captured": closed(object{"at": anyText, "by": anyText}),
		"contract": described(contractRef, "what the VM was given"),
		"host":     carriedHost(),
		"filters": described(list(closed(object{
			"action": described(integer(kvmabi.FilterHandle, kvmabi.FilterForwardToUser), "0 handle, 1 deny, 2 forward to userspace"),
			"base":   described(matching("0x00000000[0-9a-f]{8}"), "the first function identifier"),
			"count":  uint32s,
		}, "base")), "SMCCC filters (KVM_ARM_VM_SMCCC_FILTER)"),
		"vcpus": object{"type": "array", "minItems": 1, "maxItems": 512, "items": closed(object{
			"events":  described(hexBytes, "KVM_GET_VCPU_EVENTS"),
			"mpState": described(uint32s, "KVM_GET_MP_STATE"),
			"registers": described(object{
				"type": "object", "patternProperties": object{"^0x[0-9a-f]{16}$": hexBytes}, "additionalProperties": false,
			}, "every register that KVM_GET_REG_LIST lists, by its id: its bytes as the kernel has them in memory"),
		})},
		"vgic": described(list(closed(object{
			"group": uint32s, "attr": hex64, "value": hex64,
		}, "attr", "value")), "device attributes of the interrupt controller, in the order of writing"),
		"memory": described(list(closed(object{
			"base": described(hex64, "the guest-physical address"),
			"size": described(object{"type": "integer", "minimum": 0}, "in bytes"),
			"data": described(base64, "compressed with gzip"),
			"tags": described(base64, "allocation tags, one byte for each 16 of memory, compressed with gzip; where the setup has mte"),
		}, "base", "size", "data")), "one region for each vCPU"),
	}, "schema", "contract", "vcpus", "memory"))
}

func arrival() object {
	return document("guise arrival", "What became of a VM on its new host.", closed(object{
		"schema":  object{"const": move.ArrivalSchema},
		"arrived": described(boolean, "whether the VM was moved whole"),
		"host":    carriedHost(),
		"contract": described(list(closed(object{
			"vcpu": anyInteger, "register": anyText, "field": anyText, "wanted": hex64, "there": hex64,
			"errno": described(anyInteger, "Linux's number"), "hint": anyText,
		}, "wanted", "there")), "parts of the contract that the host did not take"),
		"refused": described(list(closed(object{
			"vcpu": anyInteger, "id": hex64, "name": anyText, "value": hexBytes, "errno": anyInteger,
		}, "id")), "other registers that it did not take"),
		"left": described(list(hex64), "registers that the host does not have and nobody misses"),
		"differences": described(list(closed(object{
			"vcpu": anyInteger, "what": anyText, "wanted": anyText, "here": anyText,
		})), "what the guest missed"),
		"looked": described(anyInteger, "how many vCPUs looked again"),
	}, "schema"))
}

func questions() object {
	question := closed(object{
		"contract": contractRef,
		"setup": closed(object{
			"features": list(oneOfWords(guise.Features...)), "protected": boolean, "vgic": object{"enum": []int{0, 2, 3}}, "capabilities": list(anyText),
		}),
		"writes": described(list(matching("[^=]+="+shortNumber)), "REGISTER.FIELD=0xVALUE, or REGISTER=0xVALUE"),
	})
	question["oneOf"] = []object{{"required": []string{"contract"}}, {"required": []string{"setup"}}}
	return document("guise questions", "What a host is asked: to make VMs, and to take writes.", closed(object{
		"schema":    object{"const": vm.SchemaQuestions},
		"questions": described(list(question), "each is of a VM of its own"),
	}, "schema"))
}

func answers() object {
	errno := errnoPattern()
	refusals := list(closed(object{
		"register": anyText, "field": anyText, "wanted": matching(shortNumber), "there": matching(shortNumber),
		"errno": described(matching("|"+errno), "empty where the write was taken and another value stored"),
	}, "wanted", "there"))
	return document("guise answers", "What a host answered to questions.", closed(object{
		"schema": object{"const": vm.SchemaAnswers},
		"host":   anyText,
		"answers": described(list(closed(object{
			"notMade":  described(anyText, "why the host made no such VM"),
			"refusals": described(refusals, "what it did not take of a contract"),
			"changed":  described(refusals, "what it took and showed otherwise when a vCPU had run"),
			"writes":   described(list(matching(shortNumber+"(?: then "+shortNumber+")?|"+errno)), "the value stored, with what it becomes when a vCPU has run, or the errno"),
		})), "in the order of the questions"),
	}, "schema"))
}

// errnoPattern is an errno in documents: the kernel's name for those that KVM
// answers with, a number for others.
func errnoPattern() string {
	var names []string
	for errno := syscall.Errno(1); errno < 1<<12; errno++ {
		if name := vm.ErrnoName(errno); !strings.HasPrefix(name, "errno ") {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|") + "|errno 0*(?:[1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-5])"
}
