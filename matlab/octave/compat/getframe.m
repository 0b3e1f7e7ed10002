% FRAME = getframe ()
% FRAME = getframe (H)
% A figure as a picture, in a struct of `cdata` and `colormap`.

function frame = getframe (h = gcf ())
  file = [tempname() ".png"];
  unwind_protect
    print (ancestor (h, "figure"), file, "-dpng", "-r0");
    frame = struct ("cdata", imread (file), "colormap", []);
  unwind_protect_cleanup
    unlink (file);
  end_unwind_protect
end
