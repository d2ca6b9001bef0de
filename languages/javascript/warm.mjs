// An ES module that says nothing. Loading it makes the interpreter load what loads ES modules, before there is anybody's.
export {};
