package guise_test

import (
	"fmt"
	"log"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
)

// captures reads captures of the built-in catalogue; guise.ReadCapture reads those
// that were made on other hosts.
func captures(names ...string) []*guise.Capture {
	var found []*guise.Capture
	for _, name := range names {
		capture, err := catalog.Load(name)
		if err != nil {
			log.Fatal(err)
		}
		found = append(found, capture)
	}
	return found
}

// Two hosts have no contract, and the findings say why.
func ExampleBaseline() {
	result, err := guise.Baseline(captures("graviton2@6.18", "graviton3@6.18"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Verdict)
	for _, finding := range result.Findings {
		if finding.Kind == guise.KindFixed {
			fmt.Printf("%s: %s %s, %s %s\n", finding.Name(),
				finding.Hosts[0].Host, finding.Hosts[0].Value, finding.Hosts[1].Host, finding.Hosts[1].Value)
		}
	}
	// Output:
	// no
	// ID_AA64MMFR2_EL1.EVT: graviton2@6.18 1, graviton3@6.18 2
	// ID_AA64MMFR2_EL1.FWB: graviton2@6.18 0, graviton3@6.18 1
	// ID_AA64MMFR2_EL1.IDS: graviton2@6.18 0, graviton3@6.18 1
}

// A policy leaves to each host what nobody can change.
func ExampleBaseline_policy() {
	result, err := guise.Baseline(captures("graviton2@6.18", "graviton3@6.18"), &guise.Policy{
		Vary:       guise.ParseVary("ID_AA64MMFR2_EL1.EVT,FWB,IDS"),
		IdentityOf: "graviton2@6.18",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Verdict)
	fmt.Println(result.Setup.Key())
	// Output:
	// yes
	// base/vgic3
}

// A contract that one host was made for, on another.
func ExampleCheck() {
	hosts := captures("graviton3@6.18", "graviton2@6.18")
	result, err := guise.Baseline(hosts[:1], nil)
	if err != nil {
		log.Fatal(err)
	}
	verdict := guise.Check(result.Contract, hosts[1], "")
	fmt.Println(verdict.Verdict)
	for _, finding := range verdict.Findings {
		if finding.Name() == "ID_AA64ISAR0_EL1.SHA2" {
			fmt.Printf("%s: wanted %s, there is %s, takes %s\n", finding.Name(), finding.Wanted, finding.Hosts[0].Value, finding.Hosts[0].Takes)
		}
	}
	// Output:
	// no
	// ID_AA64ISAR0_EL1.SHA2: wanted 2, there is 1, takes 0-1
}
