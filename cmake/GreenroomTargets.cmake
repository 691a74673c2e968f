# greenroom_room(): every .c file of the calling folder is a file of the
# library. A file that must not be compiled has no business in such a folder,
# so there is no list to keep; CONFIGURE_DEPENDS notices new files.
function(greenroom_room)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
    target_sources(greenroom_objects PRIVATE ${sources})
endfunction()

# greenroom_program(TARGET OUTPUT_NAME LIBRARY SOURCE...): a program of this
# repository, put into the build folder's counterpart of the calling folder.
function(greenroom_program target output_name library)
    add_executable(${target} ${ARGN})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME "${output_name}")
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PRIVATE
        ${library} greenroom_warnings Threads::Threads
    )
endfunction()
