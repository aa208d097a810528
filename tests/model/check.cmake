# check.cmake: searches all states of a model.
#
#   cmake -DMODEL=… -DWORK=… -DSPIN=… -DCC=… "-DDEFINES=A=1 B" -DMEGABYTES=… -DEXPECTED=right|wrong -P check.cmake
#
# right: all states were searched, there was no error, and the system came to rest in some of them, so that the last
# assertion was looked at. wrong: an error was found, or it never came to rest.
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(result)
    message(FATAL_ERROR "${what}:\n${text}")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

separate_arguments(defines UNIX_COMMAND "${DEFINES}")
list(TRANSFORM defines PREPEND -D)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
run("spin" ${SPIN} ${defines} -a ${MODEL})
set(optimise -O0)
if(MEGABYTES GREATER 2000) # the search takes longer than the compiler
  set(optimise -O2)
endif()
run("building" ${CC} ${optimise} -w -DSAFETY -DCOLLAPSE -DMEMLIM=${MEGABYTES} -o pan pan.c)
run("searching" ./pan -E -m500000)
file(REMOVE_RECURSE ${WORK})

string(REGEX MATCH "errors: ([0-9]+)" found "${text}")
set(errors ${CMAKE_MATCH_1})
string(REGEX MATCH "unreached in init[^a-z]*[^\n]*" last "${text}")
string(REGEX MATCH "[0-9]+ states, stored" states "${text}")
if(NOT found OR text MATCHES "out of memory|max search depth too small|Search not completed" AND errors EQUAL 0)
  message(FATAL_ERROR "the search was not exhaustive:\n${text}")
endif()
if(errors EQUAL 0 AND NOT last MATCHES "assert")
  set(answer right)
else()
  set(answer wrong)
endif()
message("${states}: ${answer}")
if(NOT answer STREQUAL EXPECTED)
  message(FATAL_ERROR "expected: ${EXPECTED}\n${text}")
endif()
