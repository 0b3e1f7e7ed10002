function reply = export(params)
% REPLY = mcm.export(PARAMS)
% Print a figure into a file in PARAMS.folder, in the size that is asked for (in pixels), or in its own.

if ~any(double(get(0, 'children')) == params.number)
    error('There is no figure %d.', params.number);
end
resolution = get(0, 'ScreenPixelsPerInch');  % the picture is as it would be on the screen
position = getpixelposition(params.number);
wanted = [params.width, params.height];
if any(wanted == 0)
    wanted = position(3:4);
end
paper = {'PaperUnits', 'PaperPositionMode', 'PaperPosition', 'PaperSize'};
before = get(params.number, paper);
reply.file = [tempname(params.folder), '.', params.format];
try
    set(params.number, 'PaperUnits', 'inches', 'PaperPosition', [0, 0, wanted / resolution], ...
        'PaperSize', wanted / resolution);
    print(params.number, ['-d', params.format], sprintf('-r%d', resolution), reply.file);
catch err
    set(params.number, paper, before);
    rethrow(err);
end
set(params.number, paper, before);
end
