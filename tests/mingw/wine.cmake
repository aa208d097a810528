# Tests run by Wine: a prefix of the build tree's own, one Wine server for the whole run, no debugger, always a time limit.
if(NOT CMAKE_CROSSCOMPILING) # on Windows itself
  function(troupe_wine_test name)
  endfunction()
  return()
endif()
set(troupe_wine_environment
  "WINEPREFIX=${CMAKE_BINARY_DIR}/wineprefix" "WINEDEBUG=-all" "WINEDLLOVERRIDES=winedbg.exe=d")

# The redirections matter: what Wine leaves running in the background keeps the descriptors it was started with, and CTest
# waits until every copy of a test's output is closed.
add_test(NAME wine_start COMMAND sh -c
  "{ mkdir -p wineprefix; wineserver -p300; ${CMAKE_CROSSCOMPILING_EMULATOR} wineboot -i; } </dev/null >>wineserver.log 2>&1")
add_test(NAME wine_stop COMMAND sh -c "{ wineserver -k; wineserver -w; } </dev/null >>wineserver.log 2>&1")
set_tests_properties(wine_start PROPERTIES FIXTURES_SETUP wine)
set_tests_properties(wine_stop PROPERTIES FIXTURES_CLEANUP wine)
set_tests_properties(wine_start wine_stop PROPERTIES ENVIRONMENT "${troupe_wine_environment}" TIMEOUT 600)

# troupe_wine_test(name): for a test that has a time limit and an environment already.
function(troupe_wine_test name)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT ${troupe_wine_environment})
  set_property(TEST ${name} APPEND PROPERTY FIXTURES_REQUIRED wine)
endfunction()
