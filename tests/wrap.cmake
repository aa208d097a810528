# wraps_of(file result): what the linker is to be told of the functions that this test wraps.
function(wraps_of file result)
  file(STRINGS ${file} lines REGEX "^ \\* --wrap: ")
  list(JOIN lines " " names)
  string(REGEX MATCHALL "[a-z][a-z0-9_]+" names "${names}")
  list(REMOVE_ITEM names wrap)
  list(TRANSFORM names PREPEND -Wl,--wrap=)
  set(${result} "${names}" PARENT_SCOPE)
endfunction()
