//go:build !race

package sim

const defaultSeeds = 100 // make sim plays more of them
