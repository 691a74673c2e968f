# What `cmake --install` puts where: headers, man pages, both libraries, the
# recorder's reader, greenroom.pc and the CMake package. tests/package proves that an outside
# project can use it.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/greenroom")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/greenroom"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h"
)
# The folders are man's own: man3, man7.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/man/"
    DESTINATION "${CMAKE_INSTALL_MANDIR}"
    FILES_MATCHING PATTERN "*.[1-9]"
)

install(TARGETS greenroom_recorder)

# Two export sets: a program that links the shared library needs none of the
# libraries below it, so only the static one may ask for them.
install(TARGETS greenroom EXPORT greenroom-shared)
install(TARGETS greenroom_static EXPORT greenroom-static)
foreach(kind IN ITEMS shared static)
    install(EXPORT greenroom-${kind} NAMESPACE greenroom::
        FILE greenroom-${kind}.cmake DESTINATION "${package_dir}"
    )
endforeach()

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/greenroom-config.cmake.in"
    "${PROJECT_BINARY_DIR}/greenroom-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO
)
# Before 1.0 a new minor version may break programs.
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/greenroom-config-version.cmake"
    COMPATIBILITY SameMinorVersion
)
install(FILES
    "${PROJECT_BINARY_DIR}/greenroom-config.cmake"
    "${PROJECT_BINARY_DIR}/greenroom-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindGreenroomDependencies.cmake"
    DESTINATION "${package_dir}"
)

# Libs.private and not Requires.private: the latter makes pkg-config demand
# the other libraries' .pc files even of those who link the shared library.
set(greenroom_libs_private "")
foreach(name IN ITEMS msgpackc nng sodium ssl crypto)
    get_filename_component(file "${GREENROOM_${name}_LIBRARY}" NAME_WE)
    string(REGEX REPLACE "^lib" "-l" flag "${file}")
    string(APPEND greenroom_libs_private "${flag} ")
endforeach()
string(APPEND greenroom_libs_private "-pthread")
# Relative to the .pc file, so that an installed tree may be moved.
file(RELATIVE_PATH greenroom_pc_prefix
    "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/"
)
string(REGEX REPLACE "/$" "" greenroom_pc_prefix "${greenroom_pc_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/greenroom.pc.in"
    "${PROJECT_BINARY_DIR}/greenroom.pc" @ONLY
)
install(FILES "${PROJECT_BINARY_DIR}/greenroom.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
)
