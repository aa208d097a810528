# cmake -DFOLDER=… -DZIP=… -DSTRIP=… -DSOURCE=… "-DPROGRAMS=…;…" "-DFILES=…;…" -P bundle.cmake: puts the programs, without
# what only a debugger reads, and the files into the folder, and packs it.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${FOLDER}" "${ZIP}")
file(MAKE_DIRECTORY "${FOLDER}")
foreach(program ${PROGRAMS})
  get_filename_component(name "${program}" NAME)
  execute_process(COMMAND "${STRIP}" -o "${FOLDER}/${name}" "${program}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(COPY ${FILES} DESTINATION "${FOLDER}")
execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY "${SOURCE}"
  OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT version)
  set(version "not from a repository")
endif()
file(WRITE "${FOLDER}/version.txt" "${version}\n")
get_filename_component(parent "${FOLDER}" DIRECTORY)
get_filename_component(name "${FOLDER}" NAME)
execute_process(COMMAND ${CMAKE_COMMAND} -E tar cf "${ZIP}" --format=zip "${name}" WORKING_DIRECTORY "${parent}"
  COMMAND_ERROR_IS_FATAL ANY)
