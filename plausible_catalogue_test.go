package guise_test

import (
	"testing"

	"github.com/guise-project/guise/catalog"
)

// TestCatalogueIsPlausible: what real hosts showed is neither refused nor doubted.
func TestCatalogueIsPlausible(t *testing.T) {
	for _, name := range catalog.Names() {
		c := load(t, name)
		if err := c.Implausible(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, doubt := range c.Doubts() {
			t.Errorf("%s: %v", name, doubt)
		}
	}
}
